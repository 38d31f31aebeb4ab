"""Entries of large JSON files, one after the other, without the file in memory."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import ijson

from offline.corpus.folder import Folder
from offline.corpus.layouts.layout import LayoutError
from offline.corpus.row import BadRow

JSON = (".json",)
"""The endings of such files."""
_CHUNK, _PEEKED = 1 << 16, 1 << 10


def entries(folder: Folder, file: str, path: str) -> Iterator[tuple[int, Any] | BadRow]:
    """Each entry of a list with its place from 1; where the file is damaged, a bad row ends them.

    Args:
        path: of the list's entries, as ijson has it: ``item`` for those of the file itself,
            ``images.item`` for those of a field.
    """
    place = 0
    with _utf8(folder, file) as opened:
        try:
            for place, entry in enumerate(ijson.items(opened, path, use_float=True), start=1):
                yield place, entry
        except (ijson.JSONError, ValueError) as error:
            told = str(error).strip().split("\n")[0]
            yield BadRow(place + 1, f"from here on the file is no JSON: {told}")


def check_list(folder: Folder, file: str, path: str) -> Any:
    """The first entry of a list. Raises :class:`LayoutError`, if the name of the file is none of
    JSON, or there is no such list."""
    if not file.lower().endswith(JSON):
        raise LayoutError("has another suffix than .json")
    with folder.open_text(file) as opened:
        start = opened.read(_PEEKED).lstrip()[:1]
    if start != ("[" if path == "item" else "{"):
        raise LayoutError("is no list" if path == "item" else "is no JSON object")
    for found in entries(folder, file, path):
        if isinstance(found, BadRow):
            raise LayoutError(f"is no JSON: {found.reason}")
        return found[1]
    raise LayoutError(f"has no entry in {path.removesuffix('.item')!r}")


def _utf8(folder: Folder, file: str) -> BinaryIO:
    """The file's text as UTF-8, whatever it is written in."""
    return io.BufferedReader(_Encoded(folder, file), _CHUNK)


class _Encoded(io.RawIOBase):
    def __init__(self, folder: Folder, file: str) -> None:
        self._text = folder.open_text(file)
        self._encode = codecs.getincrementalencoder("utf-8")(errors="surrogateescape").encode
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = self._encode(self._text.read(_CHUNK))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        self._text.close()
        super().close()
