"""Records of text with separators, a line or several lines each, and what their columns are."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from offline.corpus.layouts.layout import LayoutError, is_picture
from offline.corpus.row import BadRow, Columns, caption_fields, image_field

_SEPARATORS = ("\t", "|", ";", ",")
_NUMBERED = re.compile(r"#\d+$")  # 1000092795.jpg#0
_LONGEST = 1000  # lines of one record


def records(
    lines: Iterator[str] | TextIO, separator: str
) -> Iterator[tuple[int, list[str] | BadRow]]:
    """Each record with its first line. Quotation marks hold commas and line ends together, if they
    are closed; with other separators they are signs like others."""
    if separator != ",":
        for line, text in enumerate(lines, start=1):
            yield line, [_unquoted(cell) for cell in text.rstrip("\n").split(separator)]
        return
    line, held = 1, [next(lines, "")]
    while held[0]:
        found = _record(held, lines)
        if found is None:
            yield line, BadRow(line, "a quotation mark is not closed")
            used = 1
        else:
            yield line, found[0]
            used = found[1]
        line += used
        held = held[used:] or [next(lines, "")]


def shape_of(lines: Sequence[str], columns: Columns) -> tuple[str, list[str]]:
    """Separator, and names of the columns. Raises :class:`LayoutError`, if they are no table."""
    for separator in _SEPARATORS:
        for _, cells in records(iter(lines), separator):
            if isinstance(cells, BadRow) or len(cells) < 2:
                break
            names = [cell.strip() for cell in cells]
            if image_field(names, columns) and caption_fields(names, columns):
                return separator, names
            # Without a line of names the picture comes first and the caption last.
            if is_picture(numbered_picture(names[0]) or ""):
                return separator, ["image", *(f"column {n}" for n in range(2, len(names))), "text"]
            break
    raise LayoutError(
        "has no columns that pictures and captions stand in; name them with --image-column and "
        "--caption-column"
    )


def numbered_picture(name: str | None) -> str | None:
    """The name without the number of the caption that may follow it."""
    plain = _NUMBERED.sub("", name or "")
    return plain if is_picture(plain) else name


def _record(held: list[str], lines: Iterator[str] | TextIO) -> tuple[list[str], int] | None:
    """The record that begins with the first line held, and how many lines it has; more lines are
    held where it needs them. None if no end of it is found."""
    count = 1
    while True:
        try:
            (cells,) = csv.reader(held[:count], strict=True)
            return cells, count
        except (csv.Error, ValueError) as error:
            if count == _LONGEST or (count > 1 and "expected after" in str(error)):
                return None
            if "expected after" in str(error):  # "one" word and more: marks within a cell
                return next(csv.reader(held[:1])), 1
            if count == len(held):
                more = next(lines, "")
                if not more:
                    return None
                held.append(more)
            count += 1


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell
