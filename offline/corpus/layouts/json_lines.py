"""JSON lines: our own ``captions.jsonl``, one picture or one caption a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TextIO

from offline.corpus.folder import Folder
from offline.corpus.layouts.layout import Layout, LayoutError, split_of_name
from offline.corpus.row import BadRow, Columns, Row, image_field, row_of

CAPTIONS_FILE = "captions.jsonl"
_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_TRIED = 20  # lines, of which one should be good


class JsonLines(Layout):
    """``{"image": "a.jpg", "captions": ["…"], "split": "train", "metadata": {"year": 1990}}``"""

    name = "JSON lines (captions.jsonl)"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        files = folder.files()
        named = [file for file in files if file == CAPTIONS_FILE]
        others = [file for file in files if is_json_lines(file) and not is_metadata(file)]
        return self._found(folder, columns, named or others)

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        if not is_json_lines(file):
            raise LayoutError("has another suffix than .jsonl")
        if file == CAPTIONS_FILE:
            return  # whatever stands in it is meant
        with folder.open_text(file) as lines:
            check_records(lines, columns)

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        split = split_of_name(file)
        with folder.open_text(file) as lines:
            for line, text in enumerate(lines, start=1):
                if not text.isspace():
                    yield json_row(line, text, columns, split)


def is_json_lines(file: str) -> bool:
    """By its name."""
    return file.lower().endswith(_ENDINGS)


def is_metadata(file: str) -> bool:
    """Whether it has the name that Hugging Face's ImageFolder looks for."""
    return file.rpartition("/")[2].partition(".")[0] == "metadata"


def json_row(line: int, text: str, columns: Columns, split: str) -> Row | BadRow:
    """The row of a line."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        return BadRow(line, f"the line is no JSON: {error}")
    if not isinstance(record, dict):
        return BadRow(line, "the line is no JSON object")
    return row_of(line, record, columns, split, has_id=True)


def check_records(lines: TextIO, columns: Columns) -> None:
    """Raises :class:`LayoutError`, if none of the first lines is a JSON object with a picture."""
    for _, text in zip(range(_TRIED), lines, strict=False):
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and image_field(list(record), columns):
            return
    raise LayoutError("has no field that pictures are named in; name it with --image-column")
