"""Tables: comma-, tab- or otherwise separated, with or without a line of names.

Such are Flickr30k's ``results.csv`` and ``results_20130124.token``, and Flickr8k's
``captions.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from offline.corpus.folder import Folder
from offline.corpus.layouts.json_lines import is_metadata
from offline.corpus.layouts.layout import (
    Layout,
    LayoutError,
    caption_files,
    is_picture,
    split_of_name,
)  # fmt: skip
from offline.corpus.layouts.separated import records
from offline.corpus.row import BadRow, Columns, Row, caption_fields, image_field, row_of

_SUFFIXES = (".csv", ".tsv", ".token", ".txt", ".csv.gz", ".tsv.gz")
_SEPARATORS = ("\t", "|", ";", ",")
_NUMBERED = re.compile(r"#\d+$")  # 1000092795.jpg#0
_TRIED = 20


class Table(Layout):
    """A picture and a caption a line, or several captions in columns"""

    name = "a table (csv, tsv, token, txt)"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        files = caption_files(folder, _SUFFIXES)
        return self._found(folder, columns, [file for file in files if not is_metadata(file)])

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        if not file.lower().endswith(_SUFFIXES):
            raise LayoutError(f"has another suffix than {', '.join(_SUFFIXES)}")
        with folder.open_text(file) as lines:
            _shape(list(islice(lines, _TRIED)), columns)

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        split = split_of_name(file)
        with folder.open_text(file) as lines:
            separator, names = _shape(list(islice(lines, _TRIED)), columns)
        with folder.open_text(file) as lines:
            for line, cells in records(lines, separator):
                if isinstance(cells, BadRow):
                    yield cells
                elif (line == 1 and [cell.strip() for cell in cells] == names) or not any(cells):
                    continue
                elif len(cells) != len(names):
                    yield BadRow(line, f"the line has {len(cells)} cells in place of {len(names)}")
                else:
                    record = dict(zip(names, map(_value, cells), strict=True))
                    image = image_field(names, columns)
                    record[image] = _picture(record[image])
                    yield row_of(line, record, columns, split)


def _shape(lines: Sequence[str], columns: Columns) -> tuple[str, list[str]]:
    """Separator, and names of the columns. Raises :class:`LayoutError`, if they are no table."""
    for separator in _SEPARATORS:
        for _, cells in records(iter(lines), separator):
            if isinstance(cells, BadRow) or len(cells) < 2:
                break
            names = [cell.strip() for cell in cells]
            if image_field(names, columns) and caption_fields(names, columns):
                return separator, names
            # Without a line of names the picture comes first and the caption last.
            if is_picture(_picture(names[0]) or ""):
                return separator, ["image", *(f"column {n}" for n in range(2, len(names))), "text"]
            break
    raise LayoutError(
        "has no columns that pictures and captions stand in; name them with --image-column and "
        "--caption-column"
    )


def _picture(name: str | None) -> str | None:
    """The name without the number of the caption that may follow it."""
    plain = _NUMBERED.sub("", name or "")
    return plain if is_picture(plain) else name


def _value(cell: str) -> str | None:
    """A cell; an empty one says nothing."""
    return cell.strip() or None
