"""The table of a bundle's metadata, indexed by field and value, and filters as queries over it."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator

import numpy as np
from pyroaring import BitMap

from semcore.bundle.filter import Filter, Metadata, Value, compared, is_text, values_of

SCHEMA = """
CREATE TABLE metadata (
    field TEXT NOT NULL, value NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (field, value, number)
) WITHOUT ROWID;
"""
# From one field to the next, whatever number of rows each has.
_FIELDS = """
WITH RECURSIVE names(name) AS (
    SELECT min(field) FROM metadata
    UNION ALL
    SELECT (SELECT min(field) FROM metadata WHERE field > name) FROM names WHERE name IS NOT NULL
) SELECT name FROM names
"""
# Joined by SQLite: Python would take ten times as long to read a row a number.
_POSTINGS = (
    "SELECT value, group_concat(number) FROM metadata WHERE field = ? GROUP BY value ORDER BY value"
)
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


def fields(connection: sqlite3.Connection) -> list[str]:
    """The names of all fields, in order."""
    rows = connection.execute(_FIELDS)
    return [name for (name,) in rows if name is not None]


def postings(connection: sqlite3.Connection, field: str, most: int) -> dict[Value, BitMap] | None:
    """The values of a field, numbers before texts, each with the numbers of the items that have it;
    None if the field has more than ``most`` different ones."""
    found: dict[Value, BitMap] = {}
    for value, numbers in connection.execute(_POSTINGS, (field,)):
        if len(found) == most:
            return None
        found[compared(value)] = BitMap(np.fromstring(numbers, dtype=np.uint32, sep=","))
    return found


def _rows(items: Iterable[tuple[int, Metadata]]) -> Iterator[tuple[str, Value, int]]:
    for number, metadata in items:
        for field, value in metadata.items():
            for one in values_of(value):
                yield field, one, number
