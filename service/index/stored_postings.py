"""Postings: the values of a metadata field, each with the numbers of the items that have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from pyroaring import BitMap

from semcore.bundle.filter import Value
from semcore.bundle.item import ItemStore
from service.beams.side import set_size
from service.cache.byte_cache import ByteCache

MOST_VALUES = 10_000
"""Different values of a field whose items are counted."""
OWN_BYTES = 200
"""Of a set and its value, beside what the set holds."""


@dataclass(frozen=True, slots=True)
class Postings:
    """Attributes:
    items: of each value.
    having: those with any value.
    """

    items: Mapping[Value, BitMap]
    having: BitMap

    @classmethod
    def of(cls, items: Mapping[Value, BitMap]) -> Postings:
        return cls(items, BitMap.union(*items.values()) if items else BitMap())

    @property
    def size(self) -> int:
        """Bytes."""
        sets = [self.having, *self.items.values()]
        return sum(set_size(one) + OWN_BYTES for one in sets)


class StoredPostings:
    """Of the items of a bundle: read once a field, and those used last are kept. Safe to use from
    several threads."""

    def __init__(self, store: ItemStore, most_bytes: int) -> None:
        self._store = store
        self._kept: ByteCache[Postings | None] = ByteCache(most_bytes)
        self._lock = Lock()

    @cached_property
    def fields(self) -> frozenset[str]:
        return frozenset(self._store.fields())

    def knows(self, field: str) -> bool:
        """Whether :meth:`of` answers at once."""
        return self._kept.get(field) is not None

    def of(self, field: str) -> Postings | None:
        """None if the field has more than :data:`MOST_VALUES` different values. Reading them takes
        time in proportion to the items that have the field."""
        known = self._kept.get(field)
        if known is not None:
            return known[0]
        with self._lock:  # of several who ask one reads
            known = self._kept.get(field)
            if known is not None:
                return known[0]
            read = self._store.postings(field, MOST_VALUES)
            found = None if read is None else Postings.of(read)
            self._kept.put(field, found, OWN_BYTES if found is None else found.size)
            return found
