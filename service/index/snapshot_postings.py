"""Postings of a snapshot: those of its bundle, as far as it is left, and of what was added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from pyroaring import BitMap

from semcore.bundle.filter import Filter, Value, compared, values_of
from semcore.bundle.item import Item
from semcore.kind import KINDS, Kind
from service.beams.side import set_size
from service.cache.byte_cache import ByteCache
from service.errors import InvalidQueryError
from service.index.filtered_sides import filter_key
from service.index.open_bundle import OpenBundle
from service.index.stored_postings import MOST_VALUES, OWN_BYTES, Postings

_NAMED = 20  # fields, of those that are known


class SnapshotPostings:
    """Of the items that can be found at one time: those of the bundle that are left, and those that
    were added."""

    def __init__(
        self, bundle: OpenBundle, listed: BitMap | None, added: Mapping[int, Item]
    ) -> None:
        """
        Args:
            listed: numbers of the items of the bundle that were not deleted; None: all.
            added: by number; the numbers follow those of the bundle.
        """
        self._bundle = bundle
        self._listed = listed
        self._added = added
        self._of_added: dict[str, Postings] = {}
        self._passing: ByteCache[BitMap] = ByteCache(bundle.filter_bytes // 8)

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names of all fields; of the bundle also those that only deleted items have."""
        added = (name for item in self._added.values() for name in item.metadata)
        return self._bundle.postings.fields | frozenset(added)

    def check(self, fields: Iterable[str]) -> None:
        """Raises :class:`InvalidQueryError`, which names fields that there are, if one of these is
        not known."""
        unknown = next((field for field in fields if field not in self.fields), None)
        if unknown is None:
            return
        known = sorted(self.fields)
        more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
        there = f"there are {', '.join(known[:_NAMED])}{more}" if known else "no item has metadata"
        raise InvalidQueryError(f"no item has the metadata field {unknown!r}; {there}")

    def knows(self, kind: Kind | None, wanted: Filter | None, fields: Iterable[str]) -> bool:
        """Whether :meth:`passing` and :meth:`of` answer without reading the bundle."""
        passing = self._passing.get(_key(kind, wanted))
        return passing is not None and all(map(self._bundle.postings.knows, fields))

    def passing(self, kind: Kind | None, wanted: Filter | None) -> BitMap:
        """The numbers of the items that can be found; callers do not change them.

        Args:
            kind: None: both.
            wanted: only those that pass; None: all.
        """
        key = _key(kind, wanted)
        known = self._passing.get(key)
        if known is not None:
            return known[0]
        kinds = KINDS if kind is None else (kind,)
        found = BitMap.union(*map(self._bundle.in_gallery, kinds))
        if self._listed is not None:
            found &= self._listed
        if wanted is not None:
            found &= self._bundle.passing(wanted)
        found |= BitMap(
            [
                number
                for number, item in self._added.items()
                if item.kind in kinds and (wanted is None or wanted.matches(item.metadata))
            ]
        )
        self._passing.put(key, found, set_size(found) + OWN_BYTES)
        return found

    def of(self, field: str) -> Sequence[Postings]:
        """Those of the bundle and those of added items.

        Raises :class:`InvalidQueryError` if they have too many different values.
        """
        stored, added = self._bundle.postings.of(field), self._added_postings(field)
        if stored is None or len(stored.items.keys() | added.items.keys()) > MOST_VALUES:
            raise InvalidQueryError(
                f"the field {field!r} has more than {MOST_VALUES:,} different values, too many to "
                "be counted; ask for a coarser field, such as a year in place of a date, or count "
                "ranges of it one by one with filters"
            )
        return stored, added

    def _added_postings(self, field: str) -> Postings:
        known = self._of_added.get(field)
        if known is None:
            items: dict[Value, BitMap] = {}
            for number, item in self._added.items():
                for value in values_of(item.metadata.get(field)):
                    items.setdefault(compared(value), BitMap()).add(number)
            known = self._of_added[field] = Postings.of(items)
        return known


def _key(kind: Kind | None, wanted: Filter | None) -> str:
    return f"{kind}:{'' if wanted is None else filter_key(wanted)}"
