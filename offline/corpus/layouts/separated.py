"""Records of text whose cells stand between separators, a line or several lines each."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TextIO

from offline.corpus.row import BadRow

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


def _record(held: list[str], lines: Iterator[str] | TextIO) -> tuple[list[str], int] | None:
    """The record that begins with the first line held, and how many lines it has; more lines are
    held where it needs them. None if no end of it is found."""
    count = 1
    while True:
        try:
            (cells,) = csv.reader(held[:count], strict=True)
            return cells, count
        except (csv.Error, ValueError):
            if count == _LONGEST:
                return None
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
