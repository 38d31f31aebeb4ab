"""A list in a JSON file, as BLIP, LLaVA and others have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from offline.corpus.folder import Folder
from offline.corpus.layouts.json_stream import JSON, check_list, entries
from offline.corpus.layouts.layout import Layout, LayoutError, caption_files, split_of_name
from offline.corpus.row import BadRow, Columns, Row, image_field, row_of

_LIST = "item"


class JsonList(Layout):
    """``[{"image": "1.jpg", "caption": "…"}]``, where ``caption`` may be a list"""

    name = "a JSON list (*.json)"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        return self._found(folder, columns, caption_files(folder, JSON))

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        first = check_list(folder, file, _LIST)
        if not isinstance(first, dict) or not image_field(list(first), columns):
            raise LayoutError("has no field that pictures are named in")

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        split = split_of_name(file)
        for entry in entries(folder, file, _LIST):
            if isinstance(entry, BadRow):
                yield entry
            elif not isinstance(entry[1], dict):
                yield BadRow(entry[0], "the entry is no JSON object")
            else:
                yield row_of(*entry, columns, split)
