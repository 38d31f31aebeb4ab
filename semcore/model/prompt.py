"""The words in which the model is asked, in training and in service alike.

The layout is ChatML, which all of the InternVL family speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from semcore.kind import Direction, Kind
from semcore.text import one_line

PROMPT_VERSION = "2"
IMAGE = "<IMG_CONTEXT>"
ANSWERS = ("Yes", "No")
LETTERS = "ABCDEFGHIJ"
"""By which a list prompt calls its candidates, hence as many as it has at most."""
GsvForm = Literal["pointwise", "listwise"]
"""How verification asks: of each candidate whether it matches, or of a list which one does."""
Told = Literal["keywords", "captions"]
"""What is told of a picture beside itself where it is a candidate."""
TOLD_WORDS = 256
TOLD_CHARACTERS = 2_000


def normalise_query(text: str) -> str:
    """One line in composed form, without ``<``, with which all special tokens begin."""
    return one_line(text.replace("<", " "))


def excerpt(text: str) -> str:
    """As much of a corpus's text as the model is told, in training and in service: its beginning,
    at most :data:`TOLD_WORDS` and :data:`TOLD_CHARACTERS`. What people ask is never cut."""
    words = text[: 2 * TOLD_CHARACTERS].split()[:TOLD_WORDS]
    return " ".join(words)[:TOLD_CHARACTERS].rstrip()


def identifier_prompt(direction: Direction, query: str = "") -> str:
    """Asks for an identifier; ``query`` is the text looked for (unused for an image)."""
    if direction == "text-to-image":
        return _asking(normalise_query(query), "image")
    return _asking(IMAGE, "text")


def blank_prompt(kind: Kind) -> str:
    """Asks for an identifier of any item of a kind, without a query."""
    return _asking("", kind)


def indexing_prompt(kind: Kind, text: str = "") -> str:
    """Asks for an item's own identifier, as rival schemes must learn it by heart; ``text`` is that
    of a text (unused for an image)."""
    return _asking(IMAGE if kind == "image" else normalise_query(text), kind)


def verification_prompt(keywords: Sequence[str], text: str) -> str:
    """Asks whether a picture and a text belong together (paper 3.3); answered by :data:`ANSWERS`.

    One of the two is the query, the other a candidate with its ``keywords``. The picture stands
    first, so that what the engine has computed of it serves all prompts that begin with it. The
    keywords stand last: before the text, its words would find themselves there and not look at the
    picture.
    """
    return _chat(f"{IMAGE} {normalise_query(text)} ({' '.join(keywords)})\nMatch?")


def list_prompt(texts: Sequence[str], told: Sequence[Sequence[str]], *, one_picture: bool) -> str:
    """Asks which of several candidates belongs to a query (paper 3.3); answered by its letter, the
    one of :data:`LETTERS` at its place.

    Each candidate stands as :func:`verification_prompt` shows it, with its letter behind it. A text
    that is the query is repeated for each picture: a word can only look at what stands before it,
    and behind ten pictures it would not know which of them it has found.

    Args:
        texts: of each candidate its own, or that of the query.
        told: of each candidate its keywords, or words in their place.
        one_picture: the picture is the query, and stands once, before all texts; else each
            candidate has one.

    Raises:
        ValueError: there are more candidates than letters.
    """
    if len(texts) > len(LETTERS):
        raise ValueError(f"a list has at most {len(LETTERS)} candidates")
    own = "" if one_picture else f"{IMAGE} "
    shown = "".join(
        f"{own}{normalise_query(text)} ({' '.join(words)})\n{letter}\n"
        for letter, text, words in zip(LETTERS, texts, told, strict=False)
    )
    return _chat(f"{IMAGE}\n{shown}Which?" if one_picture else f"{shown}Which?")


def description_prompt(picture: str = IMAGE) -> str:
    """Asks for a caption of a picture; of none if ``picture`` is empty."""
    return _chat(
        f"{picture}\nDescribe the image in one sentence: what is seen, how many, in which colours, "
        "where."
    )


def _asking(content: str, kind: Kind) -> str:
    return _chat(f"{content}\nIdentifier of the {kind}:")


def _chat(user: str) -> str:
    return f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
