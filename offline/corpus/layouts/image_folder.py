"""Hugging Face's ImageFolder: ``metadata.jsonl``, ``.csv`` or ``.parquet`` beside the pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from offline.corpus.folder import Folder
from offline.corpus.layouts.json_lines import JsonLines, is_metadata
from offline.corpus.layouts.layout import Layout, LayoutError
from offline.corpus.layouts.parquet import Parquet
from offline.corpus.layouts.table import Table
from offline.corpus.row import BadRow, Columns, Row

_WRITTEN: dict[str, Layout] = {".jsonl": JsonLines(), ".csv": Table(), ".parquet": Parquet()}


class ImageFolder(Layout):
    """``file_name`` and ``text``, in one file for all or in one a folder, such as ``train``"""

    name = "Hugging Face's ImageFolder (metadata.csv, .jsonl or .parquet)"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        below = [file for one in folder.folders() for file in folder.files(one)]
        files = [file for file in [*folder.files(), *below] if _suffix(file)]
        return self._found(folder, columns, files)

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        if not _suffix(file):
            raise LayoutError("has another name than metadata.csv, .jsonl or .parquet")
        _WRITTEN[_suffix(file)].check(folder, file, columns)

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        own = file.rpartition("/")[0]
        for row in _WRITTEN[_suffix(file)].rows(folder, file, columns):
            if own and isinstance(row, Row) and isinstance(row.name, str):
                row = replace(row, name=f"{own}/{row.name}")
            yield row


def _suffix(file: str) -> str:
    suffix = f".{file.rpartition('.')[2].lower()}"
    return suffix if is_metadata(file) and suffix in _WRITTEN else ""
