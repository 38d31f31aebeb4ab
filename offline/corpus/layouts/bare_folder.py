"""Pictures alone, below a folder."""

from __future__ import annotations

from collections.abc import Iterator

from offline.corpus.folder import Folder
from offline.corpus.layouts.layout import FolderLayout, LayoutError, is_picture, split_of_folder
from offline.corpus.row import BadRow, Columns, Row
from semcore.pictures.picture_format import NAMES


class BareFolder(FolderLayout):
    """Captions come from a captioner, or from an encoder that sees"""

    name = "pictures alone"

    def _look(self, folder: Folder) -> None:
        if not any(map(is_picture, folder.walk())):
            raise LayoutError(f"there is no picture ({NAMES})")

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        for place, one in enumerate(filter(is_picture, folder.walk()), start=1):
            yield Row(place, one, None, split_of_folder(one.rpartition("/")[0]) or None)
