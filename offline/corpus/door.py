"""The one door for rows of all layouts: each becomes an entry, or a bad row with a reason."""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from offline.corpus.folder import Folder
from offline.corpus.metadata import read_metadata
from offline.corpus.picture import SPLIT_NAMES, SPLITS
from offline.corpus.row import BadRow, Row, Told
from semcore.bundle.filter import Metadata
from semcore.model.prompt import TOLD_WORDS, excerpt
from semcore.plain_text import plain_text

LONGEST = 10_000
"""Characters of a caption that are kept, as of one that is added later."""
_SPLITS = {**SPLIT_NAMES, "restval": "train"}  # as Karpathy calls a part of it
_SHORT = 2 * TOLD_WORDS - 2  # characters, which are all told
_ODD = re.compile(r"[\0\\:]|^/|//|(?:^|/)\.{1,2}(?:/|$)|/$")
"""In names that are more than a path below a folder."""
_DEPTH = 2
_LOOKED = 20  # names that are looked for in the folders below


class _FaultError(Exception):
    """The row is bad; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that is good.

    Attributes:
        name: path of the picture, or its place in an archive.
        image: where it lies.
        id: that the row gives; "" if none.
        split: "" if the row does not say.
        longest: characters of its longest caption, before it was cut; 0 if all are told whole.
    """

    line: int
    name: str
    image: str
    id: str
    split: str
    captions: tuple[str, ...]
    metadata: Metadata
    longest: int = 0


class Door:
    """Judges the rows of one corpus."""

    def __init__(self, folder: Folder, *, follow_links: bool = False) -> None:
        """``follow_links``: a link is what it leads to, wherever that is."""
        self._folder = folder
        self._follow_links = follow_links
        self._plain_folders = {""}  # that are no links
        self._bases = [""]  # folders that pictures were found in
        self._looked = 0

    def __call__(self, row: Row) -> Entry | BadRow:
        try:
            name = _name(row.name, self._folder)
        except _FaultError as fault:
            return BadRow(row.line, str(fault), _shown(row.name))
        try:
            captions, longest = _captions(row.captions)
            split, own, metadata = _split(row.split), _id(row.id), _metadata(row.metadata)
            if row.image:
                image, name = row.image, unicodedata.normalize("NFC", name)
            else:
                image = self._found(name)
                name = unicodedata.normalize("NFC", image)
        except _FaultError as fault:
            return BadRow(row.line, str(fault), name)
        return Entry(row.line, name, image, own, split, captions, metadata, longest)

    def _found(self, name: str) -> str:
        """Where the picture of a name lies."""
        if self._folder.local is None:
            return name  # whether it is there, its decoding tells
        for base in self._bases:
            for spelled in _spellings(name):
                if self._is_there(base + spelled):
                    return base + spelled
        if self._looked < _LOOKED:
            self._looked += 1
            for base in _below(self._folder, "", _DEPTH):
                if self._is_there(f"{base}/{name}"):
                    self._bases.append(f"{base}/")
                    return self._found(name)
        raise _FaultError("the image is missing")

    def _is_there(self, image: str) -> bool:
        """Whether there is such a file. Raises :class:`_FaultError`, if it is a link that is not
        followed."""
        try:
            mode = os.lstat(f"{self._folder.root}/{image}").st_mode
        except (OSError, ValueError):  # no file can have such a name
            return False
        if self._follow_links:
            return stat.S_ISREG(mode) or self._folder.is_file(image)
        if stat.S_ISLNK(mode) or not self._is_plain(image.rpartition("/")[0]):
            raise _FaultError("the image is a link; --follow-links takes what it leads to")
        return stat.S_ISREG(mode)

    def _is_plain(self, folder: str) -> bool:
        """Whether no part of its path below the corpus is a link."""
        if folder not in self._plain_folders:
            assert self._folder.local is not None
            if (self._folder.local / folder).is_symlink():
                return False
            if not self._is_plain(folder.rpartition("/")[0]):
                return False
            self._plain_folders.add(folder)
        return True


def _name(told: Told, folder: Folder) -> str:
    """The path of a picture below the folder, with ``/`` between names."""
    if told is None or told == "":
        raise _FaultError("no image is named")
    if not isinstance(told, str):
        raise _FaultError(f"the image is named by {type(told).__name__} and not by a text")
    _check_text("the name of the image", told)
    if not _ODD.search(told):
        return told
    if "\0" in told:
        raise _FaultError("the name of the image has a NUL in it, which no file has")
    if "://" in told:
        raise _FaultError("the image is a URL; download the pictures first, as img2dataset does")
    if "\\" in told and not _is_there(folder, told):  # as Windows writes paths
        told = told.replace("\\", "/")
    path = PurePosixPath(told)
    if path.is_absolute() or told[1:3] == ":/":
        if folder.local is None or not path.is_relative_to(folder.local):
            raise _FaultError("the image lies outside of the corpus")
        path = path.relative_to(folder.local)
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and not parts:
            raise _FaultError("the image lies outside of the corpus")
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    if not parts:
        raise _FaultError("no image is named")
    return "/".join(parts)


def _is_there(folder: Folder, name: str) -> bool:
    try:
        return folder.is_file(name)
    except (OSError, ValueError):
        return False


def _captions(told: Told) -> tuple[tuple[str, ...], int]:
    """The captions, cut to what is kept, and the length of the longest that is not told whole."""
    if told is None:
        return (), 0
    if isinstance(told, str):
        listed: Sequence[Told] = _listed(told)
    elif isinstance(told, list):
        listed = told
    else:
        raise _FaultError(f"a caption is {type(told).__name__} and not a text")
    kept, longest = [], 0
    for one in listed:
        if one is None or (isinstance(one, float) and one != one):
            continue
        if not isinstance(one, str):
            raise _FaultError(f"a caption is {type(one).__name__} and not a text")
        _check_text("a caption", one)
        caption = plain_text(one)
        if not caption:
            held = "is empty" if not one.strip() else "has markup and URLs only"
            raise _FaultError(f"a caption {held}")
        if len(caption) > _SHORT and excerpt(caption) != caption:
            longest = max(longest, len(caption))
        kept.append(caption[:LONGEST].rstrip())
    return tuple(kept), longest


def _listed(told: str) -> Sequence[Told]:
    """A text, or the texts that a table has as a list in JSON in one cell."""
    if told.startswith('["') and told.endswith('"]'):
        try:
            found = json.loads(told)
        except (ValueError, RecursionError):
            return [told]
        if isinstance(found, list):
            return found
    return [told]


def _split(told: Told) -> str:
    if told is None or told == "":
        return ""
    split = _SPLITS.get(told.strip().lower()) if isinstance(told, str) else None
    if split is None:
        raise _FaultError(f"the split {told!r} is none of {', '.join(SPLITS)}")
    return split


def _id(told: Told) -> str:
    if told is None:
        return ""
    if isinstance(told, bool) or not isinstance(told, str | int) or told == "":
        raise _FaultError(f"the id {told!r} is neither a text nor a whole number")
    _check_text("the id", str(told))
    return unicodedata.normalize("NFC", str(told))


def _metadata(told: Told) -> Metadata:
    if told is None:
        return {}
    try:
        found = read_metadata(told)
    except ValueError as error:
        raise _FaultError(str(error)) from error
    for name, value in found.items():
        for one in (name, *(value if isinstance(value, list) else [value])):
            if isinstance(one, str):
                _check_text("the metadata", one)
    return found


def _check_text(what: str, text: str) -> None:
    """No file, and no answer, can hold a half character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        if "\udc80" <= half <= "\udcff":
            byte = ord(half) - 0xDC00
            raise _FaultError(f"{what} has the byte {byte:#x}, which is no UTF-8") from error
        raise _FaultError(f"{what} has a half character (U+{ord(half):04X})") from error


def _spellings(name: str) -> Sequence[str]:
    """A name as it may stand on a disk: that of a Mac may have its accents apart."""
    if name.isascii():
        return [name]
    composed, apart = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    return list(dict.fromkeys([name, composed, apart]))


def _below(folder: Folder, own: str, depth: int) -> list[str]:
    """The folders below one, so many levels deep."""
    found = folder.folders(own)
    if depth > 1:
        found += [one for each in found for one in _below(folder, each, depth - 1)]
    return found


def _shown(told: Told) -> str:
    """A name that may be none, as one can write it down."""
    if told is None:
        return ""
    return str(told).encode("utf-8", "backslashreplace").decode()[:200]
