"""Parquet files: with the bytes of pictures, as Hugging Face and img2dataset write them, or with
their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as arrow
from pyarrow import parquet

from offline.corpus.folder import Folder
from offline.corpus.layouts.json_lines import is_metadata
from offline.corpus.layouts.layout import Layout, LayoutError, split_of_name
from offline.corpus.row import BadRow, Columns, Row, image_field, row_of
from semcore.pictures.picture_source import part_of

_ROWS = 1000


class Parquet(Layout):
    """A row a picture: ``image`` with its bytes, or its path, and captions"""

    name = "parquet"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        files = [*folder.files(), *folder.files("data")]
        named = [f for f in files if f.lower().endswith(".parquet") and not is_metadata(f)]
        return self._found(folder, columns, named)

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        if not file.lower().endswith(".parquet"):
            raise LayoutError("has another suffix than .parquet")
        with folder.open(file) as opened:
            try:
                schema = parquet.ParquetFile(opened).schema_arrow
            except (arrow.ArrowException, OSError) as error:
                raise LayoutError(f"is no parquet file: {error}") from error
        if not image_field(schema.names, columns):
            raise LayoutError(f"has no column of pictures among {', '.join(schema.names)}")

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        split, line = split_of_name(file), 0
        with folder.open(file) as opened:
            table = parquet.ParquetFile(opened)
            names = table.schema_arrow.names
            image = image_field(names, columns)
            stored = _is_bytes(table.schema_arrow.field(image).type)
            read = [name for name in names if name != image or not stored]
            if stored and arrow.types.is_struct(table.schema_arrow.field(image).type):
                read.append(f"{image}.path")
            try:
                for batch in table.iter_batches(_ROWS, columns=read):
                    for record in batch.to_pylist():
                        line += 1
                        row = row_of(line, record, columns, split)
                        if stored:
                            place = part_of(file, f"{line - 1}/{image}")
                            row = replace(row, name=_name(record, image, file, line), image=place)
                        yield row
            except (arrow.ArrowException, OSError) as error:
                yield BadRow(line + 1, f"from here on the file is damaged: {error}")


def _is_bytes(kind: Any) -> bool:
    if arrow.types.is_struct(kind):
        return any(kind.field(n).name == "bytes" for n in range(kind.num_fields))
    return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))


def _name(record: dict[str, Any], image: str, file: str, line: int) -> Any:
    """What the picture is called there, or else its place in the file."""
    cell = record.get(image)
    told = cell.get("path") if isinstance(cell, dict) else None
    return told or record.get("key") or record.get("file_name") or f"{file}/{line - 1}"
