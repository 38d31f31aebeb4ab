"""The table of a bundle's metadata, indexed by field and value, and filters as queries over it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from semcore.filter import Filter, Metadata, Value, is_text, values_of

SCHEMA = """
CREATE TABLE metadata (
    field TEXT NOT NULL, value NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (field, value, number)
) WITHOUT ROWID;
"""
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def write_metadata(connection: sqlite3.Connection, items: Iterable[tuple[int, Metadata]]) -> None:
    """Fill the table; ``items``: numbers with metadata."""
    connection.executemany("INSERT OR IGNORE INTO metadata VALUES (?, ?, ?)", _rows(items))


def listed(connection: sqlite3.Connection, wanted: Filter, count: int) -> NDArray[np.bool_]:
    """Which of the items 0 to ``count - 1`` pass a filter, bool [count]."""
    if wanted.all_of is not None:
        parts = [listed(connection, part, count) for part in wanted.all_of]
        return np.asarray(np.logical_and.reduce(parts))
    if wanted.any_of is not None:
        parts = [listed(connection, part, count) for part in wanted.any_of]
        return np.asarray(np.logical_or.reduce(parts))
    if wanted.negated is not None:
        return ~listed(connection, wanted.negated, count)
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
    numbers = np.fromiter((row[0] for row in connection.execute(statement, values)), np.int64)
    found = np.zeros(count, dtype=bool)
    found[numbers] = True
    return found


def _rows(items: Iterable[tuple[int, Metadata]]) -> Iterator[tuple[str, Value, int]]:
    for number, metadata in items:
        for field, value in metadata.items():
            for one in values_of(value):
                yield field, one, number
