"""Captions without what is none of their words: markup, entities, URLs, names of picture files."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from semcore.text import one_line

_URL = re.compile(r"\b(?:https?|ftp)://\S+|\bwww\.\S+\.\S+", re.IGNORECASE)
_FILE = re.compile(r"\S+\.(?:jpe?g|png|gif|webp|bmp|tiff?|heic|avif)\b", re.IGNORECASE)
_NAMED = re.compile(r"\w\.[a-z]", re.IGNORECASE)  # in every one of these, and in few sentences
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u200b\u2060\ufeff]")
_INLINE = frozenset(["a", "b", "em", "font", "i", "mark", "s", "small", "span", "strong", "u"])
_UNSEEN = frozenset(["script", "style"])
_ROUNDS = 3  # text that was escaped more than once


def plain_text(text: str) -> str:
    """The words of a text, in one line; "" if it has none."""
    for _ in range(_ROUNDS):
        if "<" not in text and "&" not in text:
            break
        before, text = text, _without_markup(text)
        if text == before:
            break
    if _NAMED.search(text):
        text = _FILE.sub(" ", _URL.sub(" ", text))
    return one_line(text if text.isprintable() else _CONTROL.sub("", text))


def _without_markup(text: str) -> str:
    reader = _Words()
    reader.feed(text)
    reader.close()
    return "".join(reader.found)


class _Words(HTMLParser):
    """Collects what a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._unseen = ""

    def handle_starttag(self, tag: str, _: object) -> None:
        self._space(tag)
        if tag in _UNSEEN:
            self._unseen = tag

    def handle_endtag(self, tag: str) -> None:
        self._space(tag)
        if tag == self._unseen:
            self._unseen = ""

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.found.append(data)

    def _space(self, tag: str) -> None:
        if tag not in _INLINE:
            self.found.append(" ")
