"""Pictures with a text file of the same name beside each: ``1.jpg`` and ``1.txt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from offline.corpus.folder import Folder
from offline.corpus.layouts.layout import FolderLayout, LayoutError, is_picture, split_of_folder
from offline.corpus.row import BadRow, Columns, Row, Told

_SUFFIX = ".txt"


class Sidecar(FolderLayout):
    """A caption a line of the text file"""

    name = "pictures with text files of the same names"

    def _look(self, folder: Folder) -> None:
        beside: set[str] = set()
        where = ""
        for one in folder.walk():
            own, stem, suffix = _parts(one)
            if own != where:
                where, beside = own, set()
            if is_picture(one) or suffix == _SUFFIX:
                if stem in beside:
                    return
                beside.add(stem)
        raise LayoutError("no picture has a text file of its name beside it")

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        place = 0
        for own in folder.walk_folders():
            files = folder.files(own)
            told = {_parts(one)[1]: one for one in files if one.lower().endswith(_SUFFIX)}
            for one in filter(is_picture, files):
                place += 1
                text = told.get(_parts(one)[1])
                captions = None if text is None else _lines(folder, text)
                yield Row(place, one, captions, split_of_folder(own) or None)


def _lines(folder: Folder, file: str) -> list[Told]:
    with folder.open_text(file) as opened:
        return [line.strip() for line in opened if not line.isspace()]


def _parts(file: str) -> tuple[str, str, str]:
    """Folder, name without suffix, suffix."""
    path = PurePosixPath(file)
    return str(path.parent), path.stem, path.suffix.lower()
