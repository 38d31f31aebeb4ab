"""The two kinds of items, and the directions in which one finds the other."""

from __future__ import annotations

from typing import Literal

Kind = Literal["image", "text"]
KINDS: tuple[Kind, ...] = ("image", "text")

Direction = Literal["text-to-image", "image-to-text"]
DIRECTIONS: tuple[Direction, ...] = ("text-to-image", "image-to-text")


def target_kind(direction: Direction) -> Kind:
    """The kind of item that a search of this direction finds."""
    return "image" if direction == "text-to-image" else "text"
