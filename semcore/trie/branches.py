"""The identifiers of a bundle as a tree of their parts: what follows a beginning, and how often."""

from __future__ import annotations

import heapq
import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from threading import Lock

from pyroaring import BitMap

from semcore.connections import Connections
from semcore.trie.places import (
    AFTER_SPACE,
    SCHEMA,
    SHARED,
    Branch,
    are_counted,
    count_places,
)

INDEX = "CREATE INDEX by_identifier ON items (kind, identifier, split);"


@dataclass(frozen=True, slots=True)
class Place:
    """A beginning of identifiers.

    Attributes:
        items: known by an identifier that begins so.
        branches: how many parts follow.
        usual: the median of the items of all branches.
        counts: items of the largest branches, and of others that were asked for.
    """

    items: int
    branches: int
    usual: float
    counts: Mapping[str, int]


class Ordered:
    """Identifiers in order: those below a place follow each other, and are found by bisection.

    Attributes:
        numbers: of the items that are known by them, in the same order.
    """

    def __init__(self, items: Iterable[tuple[str, int]] = ()) -> None:
        """``items``: identifiers and numbers."""
        known = sorted(items)
        self.identifiers = [identifier for identifier, _ in known]
        self.numbers = [number for _, number in known]

    def with_more(self, items: Iterable[tuple[str, int]]) -> Ordered:
        return Ordered([*zip(self.identifiers, self.numbers, strict=True), *items])

    def below(self, beginning: str) -> range:
        """The places of those that begin with these parts; of all where there are none."""
        if not beginning:
            return range(len(self.identifiers))
        first = bisect_left(self.identifiers, beginning)
        return range(first, bisect_left(self.identifiers, beginning + AFTER_SPACE, first))

    def following(self, beginning: str) -> Iterator[tuple[str, int]]:
        """What follows, longer by one part, and how many have it."""
        start = f"{beginning} " if beginning else ""
        places = self.below(beginning)
        at = bisect_left(self.identifiers, start, places.start, places.stop)
        while at < places.stop:
            longer = start + self.identifiers[at][len(start) :].split(" ")[0]
            end = bisect_left(self.identifiers, longer + AFTER_SPACE, at, places.stop)
            yield longer, end - at
            at = end


class Gallery:
    """The items of one kind and some splits, by the identifier that each is known by.

    They never change. A look takes time in proportion to what it tells, and none to the items
    below, but for the first look into a bundle that was built before places were counted.
    """

    def __init__(self, connections: Connections, kind: str, splits: Sequence[str]) -> None:
        self._connections = connections
        self._kind = kind
        self._splits = tuple(splits)
        self._counted: Callable[[], sqlite3.Connection] | None = None
        self._lock = Lock()

    def place(self, beginning: str, most: int, also: Collection[str] = ()) -> Place:
        """What follows a beginning (nothing, or whole parts).

        Args:
            most: of the branches, the largest.
            also: other branches.
        """
        counted = self._counts()
        where = "FROM places WHERE kind = ? AND beginning = ?"
        row = counted.execute(f"SELECT items, branches, usual {where}", (self._kind, beginning))
        told = row.fetchone()
        if told is None:
            return self._few(beginning)
        items, branches, usual = told
        rows = counted.execute(
            "SELECT identifier, items FROM branches WHERE kind = ? AND beginning = ? "
            "ORDER BY rank LIMIT ?", (self._kind, beginning, most),
        )  # fmt: skip
        counts = dict(rows.fetchall())
        for branch in also:
            if branch not in counts:
                where = "FROM branches WHERE kind = ? AND identifier = ?"
                one = counted.execute(f"SELECT items {where}", (self._kind, branch)).fetchone()
                if one is not None:
                    counts[branch] = one[0]
        return Place(items, branches, usual, counts)

    def shared(self, most: int) -> list[Branch]:
        """The identifiers that several items have, those of most items first; 100 at most."""
        rows = self._counts().execute(
            "SELECT identifier, items FROM shared WHERE kind = ? ORDER BY rank LIMIT ?",
            (self._kind, min(most, SHARED)),
        )
        return [Branch(identifier, items) for identifier, items in rows]

    def numbers(self, beginning: str, most: int, listed: BitMap | None = None) -> list[int]:
        """The numbers of the first items whose identifiers begin with these parts, in the order of
        the identifiers; of all items just the first ones, which differ more.

        Args:
            listed: those to tell; None: all.
        """
        rows: Iterable[tuple[int]]
        if beginning:
            rows = self._below("number", beginning, "ORDER BY identifier")
        else:
            # Numbers follow the ids, hence so do those of each split.
            rows = heapq.merge(*(self._of_split(split) for split in self._splits))
        found = (number for (number,) in rows if listed is None or number in listed)
        return list(islice(found, most))

    def _few(self, beginning: str) -> Place:
        """A place with so few items that they are counted now."""
        known = Ordered(self._below("identifier, number", beginning))
        counts = Counter(dict(known.following(beginning)))
        usual = median(counts.values()) if counts else 0
        return Place(len(known.identifiers), len(counts), usual, counts)

    def _counts(self) -> sqlite3.Connection:
        """Where the places are: in the bundle, else in memory, counted now."""
        with self._lock:
            if self._counted is None:
                if are_counted(self._connections.own, self._splits):
                    self._counted = lambda: self._connections.own
                else:
                    memory = sqlite3.connect(":memory:", check_same_thread=False)
                    memory.executescript(SCHEMA)
                    count_places(self._connections.own, self._kind, self._splits, memory)
                    self._counted = lambda: memory
        return self._counted()

    def _below(self, what: str, beginning: str, then: str = "") -> sqlite3.Cursor:
        where: str = ""
        values: tuple[str, ...] = ()
        if beginning:
            where = "AND identifier >= ? AND identifier < ?"
            values = beginning, beginning + AFTER_SPACE
        return self._connections.own.execute(
            f"SELECT {what} FROM items INDEXED BY by_identifier WHERE kind = ? {where} "
            f"AND split IN ({', '.join('?' * len(self._splits))}) {then}",
            (self._kind, *values, *self._splits),
        )

    def _of_split(self, split: str) -> sqlite3.Cursor:
        return self._connections.own.execute(
            "SELECT number FROM items INDEXED BY by_split "
            "WHERE split = ? AND kind = ? ORDER BY id", (split, self._kind),
        )  # fmt: skip
