"""Text as all parts of the product take it in."""

from __future__ import annotations

import unicodedata


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC), in which one word has one spelling."""
    return unicodedata.normalize("NFC", text)


def one_line(text: str) -> str:
    """The composed text in one line, without surplus space."""
    return " ".join(composed(text).split())
