"""The identifiers of a bundle as a tree of their parts: what follows a beginning, and how often."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

SCHEMA = "CREATE INDEX by_identifier ON items (kind, identifier, split);"

_REMEMBERED = 256
_AFTER_SPACE = "!"
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Branch:
    """A beginning of identifiers, and how many items are known by one that begins so."""

    identifier: str
    items: int


class Gallery:
    """The items of one kind and some splits, by the identifier that each is known by.

    They never change, and what was asked last is remembered.
    """

    def __init__(self, connection: sqlite3.Connection, kind: str, splits: Sequence[str]) -> None:
        self._connection = connection
        self._kind = kind
        self._splits = tuple(splits)
        self.branches = lru_cache(_REMEMBERED)(self._branches)
        self.shared = lru_cache(_REMEMBERED)(self._shared)

    def _branches(self, beginning: str) -> tuple[Branch, ...]:
        """One for each part that follows ``beginning`` (nothing, or whole parts), in their order.

        Each takes one look into the index and a count over it.
        """
        return tuple(self._following(beginning))

    def _shared(self, most: int) -> tuple[Branch, ...]:
        """The identifiers that several items have, those of most items first."""
        then = f"GROUP BY identifier HAVING count(*) > 1 ORDER BY 2 DESC, 1 LIMIT {most}"
        rows = self._rows("identifier, count(*)", "1", then=then)
        return tuple(Branch(identifier, count) for identifier, count in rows)

    def _following(self, beginning: str) -> Iterator[Branch]:
        start = f"{beginning} " if beginning else ""
        at = start
        while True:
            (found,) = self._one("min(identifier)", "identifier >= ? AND identifier < ?", at,
                                 f"{start}{_LAST}")  # fmt: skip
            if found is None:
                return
            longer = start + found[len(start) :].split(" ")[0]
            yield Branch(longer, self.count(longer))
            at = f"{longer}{_AFTER_SPACE}"

    def count(self, beginning: str) -> int:
        """How many items have identifiers that begin with these parts."""
        if not beginning:
            (count,) = self._one("count(*)", "1")
        else:
            (count,) = self._one("count(*)", *self._below(beginning))
        return int(count or 0)

    def numbers(self, beginning: str, most: int) -> list[int]:
        """The numbers of the first items whose identifiers begin with these parts, in the order of
        the identifiers; of all items just the first ones, which differ more."""
        where, order = (self._below(beginning), "identifier, ") if beginning else (("1",), "")
        rows = self._rows("number", *where, then=f"ORDER BY {order}number LIMIT {most}")
        return [number for (number,) in rows]

    def _below(self, beginning: str) -> tuple[str, str, str, str]:
        where = "(identifier = ? OR (identifier >= ? AND identifier < ?))"
        return where, beginning, f"{beginning} ", f"{beginning}{_AFTER_SPACE}"

    def _one(self, what: str, where: str, *values: str) -> tuple[str | None, ...]:
        row: tuple[str | None, ...] = self._rows(what, where, *values).fetchone()
        return row

    def _rows(self, what: str, where: str, *values: str, then: str = "") -> sqlite3.Cursor:
        return self._connection.execute(
            f"SELECT {what} FROM items WHERE kind = ? AND {where} "
            f"AND split IN ({', '.join('?' * len(self._splits))}) {then}",
            (self._kind, *values, *self._splits),
        )
