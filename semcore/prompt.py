"""The words in which the model is asked, in training and in service alike.

The layout is ChatML, which all of the InternVL family speaks. The query stands before the
candidates: a causal model then reads each candidate already knowing what is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from semcore.item import Kind

PROMPT_VERSION = "1"
IMAGE = "<IMG_CONTEXT>"
LABELS = tuple("ABCDEFGHIJ")

Direction = Literal["text-to-image", "image-to-text"]
DIRECTIONS: tuple[Direction, ...] = ("text-to-image", "image-to-text")


def target_kind(direction: Direction) -> Kind:
    """The kind of item that a search of this direction finds."""
    return "image" if direction == "text-to-image" else "text"


def normalise_query(text: str) -> str:
    """One line without surplus space, and without ``<``, with which all special tokens begin."""
    return " ".join(text.replace("<", " ").split())


def identifier_prompt(direction: Direction, query: str = "") -> str:
    """Asks for an identifier; ``query`` is the text looked for (unused for an image)."""
    if direction == "text-to-image":
        return _chat(f"{normalise_query(query)}\nIdentifier of the image:")
    return _chat(f"{IMAGE}\nIdentifier of the text:")


def verification_prompt(
    direction: Direction, candidates: Sequence[Sequence[str]], texts: Sequence[str], query: str = ""
) -> str:
    """Asks which candidate matches best (paper 3.3); the answer is one of :data:`LABELS`.

    Args:
        candidates: the keywords of each, at most ``len(LABELS)`` of them. For text-to-image each
            brings one picture with it, in the same order; for image-to-text the one picture is
            the query.
        texts: for image-to-text the text of each candidate; unused otherwise.
    """
    lines = [normalise_query(query) if direction == "text-to-image" else IMAGE]
    for place, (label, keywords) in enumerate(zip(LABELS, candidates, strict=False)):
        shown = IMAGE if direction == "text-to-image" else normalise_query(texts[place])
        lines.append(f"{shown} ({' '.join(keywords)}) = {label}")
    lines.append("Best match:")
    return _chat("\n".join(lines))


def _chat(user: str) -> str:
    return f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
