"""The table of a bundle's metadata, indexed by field and value, and filters as queries over it."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator

from pyroaring import BitMap

from semcore.bundle.filter import Filter, Metadata, Value, is_text, values_of

SCHEMA = """
CREATE TABLE metadata (
    field TEXT NOT NULL, value NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (field, value, number)
) WITHOUT ROWID;
"""
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def write_metadata(connection: sqlite3.Connection, items: Iterable[tuple[int, Metadata]]) -> None:
    """Fill the table; ``items``: numbers with metadata."""
    connection.executemany("INSERT OR IGNORE INTO metadata VALUES (?, ?, ?)", _rows(items))


def listed(connection: sqlite3.Connection, wanted: Filter, count: int) -> BitMap:
    """Which of the items 0 to ``count - 1`` pass a filter."""
    if wanted.all_of is not None:
        return BitMap.intersection(*(listed(connection, part, count) for part in wanted.all_of))
    if wanted.any_of is not None:
        return BitMap.union(*(listed(connection, part, count) for part in wanted.any_of))
    if wanted.negated is not None:
        return listed(connection, wanted.negated, count).flip(0, count)
    conditions = ["field = ?"]
    values: list[Value | None] = [wanted.field]
    if wanted.equals is not None:
        conditions.append("value = ?")
        values.append(wanted.equals)
    if wanted.one_of is not None:
        conditions.append(f"value IN ({', '.join('?' * len(wanted.one_of))})")
        values += wanted.one_of
    for name, bound in wanted.bounds.items():
        kinds = "('text')" if is_text(bound) else "('integer', 'real')"
        conditions.append(f"value {_SIGNS[name]} ? AND typeof(value) IN {kinds}")
        values.append(bound)
    statement = f"SELECT number FROM metadata WHERE {' AND '.join(conditions)}"
    numbers = array("I", (row[0] for row in connection.execute(statement, values)))
    return BitMap(numbers)


def _rows(items: Iterable[tuple[int, Metadata]]) -> Iterator[tuple[str, Value, int]]:
    for number, metadata in items:
        for field, value in metadata.items():
            for one in values_of(value):
                yield field, one, number
