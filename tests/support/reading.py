"""Reads files with one layout, without the door."""

from pathlib import Path

from offline.corpus.folder import Folder
from offline.corpus.layouts.layout import Layout
from offline.corpus.row import BadRow, Columns, Row


def rows(layout: Layout, folder: Path, columns: Columns | None = None) -> list[Row | BadRow]:
    """All rows of the files that the layout finds in a folder."""
    named, found = columns or Columns(), Folder(folder)
    return [row for file in layout.find(found, named) for row in layout.rows(found, file, named)]


def faults(found: list[Row | BadRow]) -> list[tuple[int, str]]:
    """The bad rows among them."""
    return [(row.line, row.reason) for row in found if isinstance(row, BadRow)]
