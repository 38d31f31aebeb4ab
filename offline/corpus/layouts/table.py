"""Tables: comma-, tab- or otherwise separated, with or without a line of names.

Such are Flickr30k's ``results.csv`` and ``results_20130124.token``, and Flickr8k's
``captions.txt``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from offline.corpus.folder import Folder
from offline.corpus.layouts.json_lines import is_metadata
from offline.corpus.layouts.layout import (
    Layout,
    LayoutError,
    caption_files,
    split_of_name,
)  # fmt: skip
from offline.corpus.layouts.separated import numbered_picture, records, shape_of
from offline.corpus.row import BadRow, Columns, Row, image_field, row_of

_SUFFIXES = (".csv", ".tsv", ".token", ".txt", ".csv.gz", ".tsv.gz")
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
            shape_of(list(islice(lines, _TRIED)), columns)

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        split = split_of_name(file)
        with folder.open_text(file) as lines:
            separator, names = shape_of(list(islice(lines, _TRIED)), columns)
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
                    record[image] = numbered_picture(record[image])
                    yield row_of(line, record, columns, split)


def _value(cell: str) -> str | None:
    """A cell; an empty one says nothing."""
    return cell.strip() or None
