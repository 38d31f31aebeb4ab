"""Places in the tree of identifiers, counted when a bundle is built: how many items are below each,
and what follows it, so that nobody counts them when they are asked for.

Only places with many items are kept. Below the others there are few enough to count at once.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

AFTER_SPACE = "!"
"""The sign after the space: what begins with some parts lies before these with it."""
FEW = 256
"""The most items of a place that is not kept."""
SHARED = 100
"""The most identifiers that are kept because several items have them."""

SCHEMA = """
CREATE TABLE counted (splits TEXT NOT NULL);
CREATE TABLE places (
    kind TEXT NOT NULL, beginning TEXT NOT NULL, items INTEGER NOT NULL, branches INTEGER NOT NULL,
    usual REAL NOT NULL, PRIMARY KEY (kind, beginning)
) WITHOUT ROWID;
CREATE TABLE branches (
    kind TEXT NOT NULL, beginning TEXT NOT NULL, rank INTEGER NOT NULL, identifier TEXT NOT NULL,
    items INTEGER NOT NULL, PRIMARY KEY (kind, beginning, rank)
) WITHOUT ROWID;
CREATE INDEX by_branch ON branches (kind, identifier);
CREATE TABLE shared (
    kind TEXT NOT NULL, rank INTEGER NOT NULL, identifier TEXT NOT NULL, items INTEGER NOT NULL,
    PRIMARY KEY (kind, rank)
) WITHOUT ROWID;
"""
_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class Branch:
    """A beginning of identifiers, and how many items are known by one that begins so."""

    identifier: str
    items: int


@dataclass(slots=True)
class _Place:
    beginning: str
    items: int
    branches: list[tuple[str, int]]


def count_places(
    connection: sqlite3.Connection, kind: str, splits: Sequence[str], to: sqlite3.Connection
) -> None:
    """Count the places of all items of a kind and some splits.

    Args:
        to: where the tables are; it may be the same.
    """
    marks = ", ".join("?" * len(splits))
    rows = connection.execute(
        "SELECT identifier FROM items INDEXED BY by_identifier "
        f"WHERE kind = ? AND split IN ({marks}) ORDER BY identifier",
        (kind, *splits),
    )
    common: list[tuple[int, int, str]] = []
    for place in _places((identifier for (identifier,) in rows), common):
        branches = in_order(Branch(*one) for one in place.branches)
        usual = median(branch.items for branch in branches) if branches else 0
        row = kind, place.beginning, place.items, len(branches), usual
        to.execute("INSERT INTO places VALUES (?, ?, ?, ?, ?)", row)
        to.executemany(
            "INSERT INTO branches VALUES (?, ?, ?, ?, ?)",
            (
                (kind, place.beginning, rank, branch.identifier, branch.items)
                for rank, branch in enumerate(branches)
            ),
        )
    to.executemany(
        "INSERT INTO shared VALUES (?, ?, ?, ?)",
        (
            (kind, rank, identifier, items)
            for rank, (items, _, identifier) in enumerate(sorted(common, reverse=True))
        ),
    )


def note_splits(connection: sqlite3.Connection, splits: Sequence[str]) -> None:
    """Say of which splits all places were counted."""
    connection.execute("INSERT INTO counted VALUES (?)", (_named(splits),))


def are_counted(connection: sqlite3.Connection, splits: Sequence[str]) -> bool:
    """Whether the places of these splits were counted; those of earlier bundles were not."""
    try:
        row = connection.execute("SELECT splits FROM counted").fetchone()
    except sqlite3.OperationalError:
        return False
    return row is not None and row[0] == _named(splits)


def in_order(branches: Iterable[Branch]) -> list[Branch]:
    """Those of most items first."""
    return sorted(branches, key=lambda branch: (-branch.items, branch.identifier))


def _named(splits: Sequence[str]) -> str:
    return _SEPARATOR.join(sorted(set(splits)))


def _places(identifiers: Iterable[str], common: list[tuple[int, int, str]]) -> Iterator[_Place]:
    """All places with many items, each once it is known as a whole.

    Args:
        identifiers: in order, so that those below a place follow each other.
        common: takes the identifiers of most items, of those that several have.
    """
    path = [_Place("", 0, [])]  # from the root to where the last identifier ended
    last, alike, number = "", 0, 0
    known: list[str] = []
    for number, identifier in enumerate(identifiers, start=1):
        if identifier == last:
            alike += 1
            path[-1].items += 1
            continue
        _note(common, alike, number, last)
        last, alike = identifier, 1
        parts = identifier.split(" ")
        same = 0
        for one, other in zip(parts, known, strict=False):
            if one != other:
                break
            same += 1
        known = parts
        yield from _left(path, same + 1)
        for part in parts[same:]:
            before = path[-1].beginning
            path.append(_Place(f"{before} {part}" if before else part, 0, []))
        path[-1].items += 1
    _note(common, alike, number + 1, last)
    yield from _left(path, 0)


def _left(path: list[_Place], depth: int) -> Iterator[_Place]:
    """The places that nothing more is below, but for the first ``depth``."""
    while len(path) > depth:
        place = path.pop()
        if path:
            path[-1].items += place.items
            path[-1].branches.append((place.beginning, place.items))
        if place.items > FEW:
            yield place


def _note(common: list[tuple[int, int, str]], items: int, number: int, identifier: str) -> None:
    if items > 1:
        # Of as many items the first identifier stays, which has the greatest negative number.
        heapq.heappush(common, (items, -number, identifier))
        if len(common) > SHARED:
            heapq.heappop(common)
