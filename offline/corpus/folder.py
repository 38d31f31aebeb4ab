"""The folder of a corpus: on this machine, behind a URL or in an archive, all through fsspec."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import fsspec

from semcore.errors import CorpusError
from semcore.pictures.picture_source import below, is_url

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ARCHIVES = {".zip": "zip://::"}


class Folder:
    """Files below a root, by their paths with ``/`` between names.

    Attributes:
        root: path of this machine, or URL.
        local: the path, if it is one of this machine.
    """

    def __init__(self, root: str | Path) -> None:
        """Raises :class:`CorpusError` if nothing can read such a URL."""
        self.root = str(root) if is_url(root) else str(Path(root).resolve())
        self.local = None if is_url(root) else Path(self.root)
        try:
            self._files, self._path = fsspec.url_to_fs(self.root)
        except (ImportError, ValueError, OSError) as error:
            raise CorpusError(f"{root} cannot be read: {error}") from error

    @property
    def name(self) -> str:
        """The last part of its path."""
        return str(self.root).partition("::")[0].rstrip("/").rpartition("/")[2] or str(self.root)

    def path(self, file: str) -> str:
        """The path or URL of a file."""
        return below(self.root, file)

    def is_file(self, file: str) -> bool:
        if self.local is not None:
            return (self.local / file).is_file()
        return bool(self._files.isfile(self._below(file)))

    def files(self, folder: str = "") -> list[str]:
        """The files in a folder, not those below its folders, in order; none if there is none."""
        return self._listed(folder, "file")

    def folders(self, folder: str = "") -> list[str]:
        """The folders in a folder, in order."""
        return self._listed(folder, "directory")

    def walk(self) -> Iterator[str]:
        """All files below the root, a folder at a time, in order."""
        for folder in self.walk_folders():
            yield from self.files(folder)

    def walk_folders(self, folder: str = "") -> Iterator[str]:
        """A folder and all folders below it, each before those in it, in order."""
        yield folder
        for one in self.folders(folder):
            yield from self.walk_folders(one)

    def open(self, file: str) -> BinaryIO:
        """The bytes of a file; of one that is compressed (``.gz``) what it is of."""
        return cast(BinaryIO, self._files.open(self._below(file), "rb", compression="infer"))

    def open_text(self, file: str) -> TextIO:
        """The text of a file, whose lines end as they end on any system. What is no UTF-8, or what
        else its first bytes say that it is, is kept as half characters, which no text may have."""
        opened = self.open(file)
        start = opened.read(4)
        opened.seek(0)
        encoding = _encoding(start)
        errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
        return io.TextIOWrapper(opened, encoding, errors=errors, newline=None)

    def _listed(self, folder: str, kind: str) -> list[str]:
        try:
            entries = self._files.ls(self._below(folder), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise CorpusError(f"{self.path(folder)} cannot be listed: {error}") from error
        names = []
        for entry in entries:
            name = str(entry["name"]).rstrip("/").rpartition("/")[2]
            is_folder = entry["type"] == "directory"
            if name and is_folder == (kind == "directory"):
                names.append(f"{folder}/{name}" if folder else name)
        return sorted(names)

    def _below(self, file: str) -> str:
        return f"{self._path.rstrip('/')}/{file}" if file and self._path else file or self._path


def open_source(source: str | Path) -> tuple[Folder, str]:
    """The folder of a corpus, and the file in it that was named, or "".

    Args:
        source: folder, file of captions, or archive; path or URL.

    Raises:
        CorpusError: there is no such thing.
    """
    text = str(source)
    if is_url(text):
        folder = Folder(text)
        files, path = fsspec.url_to_fs(text)
        try:
            if not files.isfile(path):
                return folder, ""
        except OSError as error:
            raise CorpusError(f"{source} cannot be read: {error}") from error
    elif not Path(source).exists():
        raise CorpusError(f"{source} does not exist; give a folder or a file of captions")
    elif Path(source).is_dir():
        return Folder(source), ""
    first, chain, rest = text.partition("::")
    for suffix, archive in _ARCHIVES.items():
        if first.lower().endswith(suffix):
            inner = text if is_url(text) else str(Path(text).resolve())
            return Folder(f"{archive}{inner}"), ""
    parent, _, name = first.rpartition("/")
    return Folder(f"{parent}{chain}{rest}" if is_url(text) else parent or "."), name


def _encoding(start: bytes) -> str:
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    # What Windows calls Unicode, without its mark.
    if len(start) == 4 and start[1] == start[3] == 0 and start[0] and start[2]:
        return "utf-16-le"
    return "utf-8"
