"""The contract of layouts, and what the names of files say."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import ClassVar

from offline.corpus.folder import Folder
from offline.corpus.picture import SPLIT_NAMES
from offline.corpus.row import BadRow, Columns, Row
from semcore.pictures.picture_format import SUFFIXES

_TOLD = 3  # files whose faults an error tells


class LayoutError(Exception):
    """A file is not in the layout; the message says what was found in it."""


class Layout(ABC):
    """One way to write a corpus down.

    Attributes:
        name: for people.
    """

    name: ClassVar[str]

    @abstractmethod
    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        """The files of a folder that are in this layout. Raises :class:`LayoutError`, if there are
        none."""

    @abstractmethod
    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        """Raises :class:`LayoutError`, if a file is not in this layout."""

    @abstractmethod
    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        """The rows of a file, one after the other; what is no row is told as a bad one."""

    def _found(self, folder: Folder, columns: Columns, files: Sequence[str]) -> list[str]:
        """Those of the files that are in this layout."""
        found, faults = [], []
        for file in files:
            try:
                self.check(folder, file, columns)
                found.append(file)
            except LayoutError as error:
                faults.append(f"{file} {error}")
        if not found:
            more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
            raise LayoutError("; ".join(faults[:_TOLD]) + more or "there is no such file")
        return found


class FolderLayout(Layout):
    """A layout of pictures in folders, with no file that names them: its one file is the folder,
    named ""."""

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        self.check(folder, "", columns)
        return [""]

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        if file:
            raise LayoutError("is no folder")
        self._look(folder)

    @abstractmethod
    def _look(self, folder: Folder) -> None:
        """Raises :class:`LayoutError`, if the pictures of a folder are not in this layout."""


def split_of_name(path: str) -> str:
    """The split that a word in the name of a file, or its folder, says; "" if none does."""
    folder, _, name = path.rpartition("/")
    words = re.findall(r"[a-z]+", name.lower())
    found = next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")
    return found or split_of_folder(folder)


def split_of_folder(folder: str) -> str:
    """The split that a folder, or one that it lies in, is named by; "" if none is."""
    parts = reversed(folder.lower().split("/"))
    return next((SPLIT_NAMES[part] for part in parts if part in SPLIT_NAMES), "")


def caption_files(folder: Folder, endings: tuple[str, ...], below: str = "") -> list[str]:
    """The files with one of these endings, without those that stand beside a picture of the same
    name."""
    files = folder.files(below)
    pictures = {_stem(file) for file in files if is_picture(file)}
    return [f for f in files if f.lower().endswith(endings) and _stem(f) not in pictures]


def is_picture(file: str) -> bool:
    """By its name. On other disks macOS keeps a file whose name begins with "._" beside each."""
    name = file.rpartition("/")[2]
    return not name.startswith("._") and PurePosixPath(name).suffix.lower() in SUFFIXES


def _stem(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))
