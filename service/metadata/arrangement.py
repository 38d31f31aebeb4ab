"""Arrangement: candidates by a field of their metadata, a few a value, or in the field's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from semcore.bundle.filter import Metadata, Value, compared, is_text, values_of
from service.index.lookup import look_up
from service.index.snapshot import Snapshot
from service.schemas.metadata import Sort

Groups = list[list[int]]
"""Places in their order, each with those that are folded under it."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Attributes:
    group_by: a field, of each value of which the first candidates stay.
    group_size: how many these are.
    sort: the field that the candidates are ordered by.
    """

    group_by: str | None = None
    group_size: int = 1
    sort: Sort | None = None

    @property
    def is_wanted(self) -> bool:
        return self.group_by is not None or self.sort is not None

    async def check(self, snapshot: Snapshot) -> None:
        """Raises :class:`InvalidQueryError` if a field is not known."""
        fields = [self.group_by, None if self.sort is None else self.sort.field]
        asked = [field for field in fields if field is not None]
        if asked:
            await look_up(snapshot.postings.check, asked)

    def arranged(self, groups: Groups, metadata: Sequence[Metadata]) -> Groups:
        """First as many of each value as are wanted, best first, then in the order of the field.

        Args:
            groups: places of candidates, best first; the first of each group stands for it.
            metadata: of the candidates, by place.
        """
        if self.group_by is not None:
            groups = _thinned(groups, metadata, self.group_by, self.group_size)
        if self.sort is not None:
            groups = _sorted(groups, metadata, self.sort)
        return groups


AS_FOUND = Arrangement()
"""None is wanted."""


def _thinned(groups: Groups, metadata: Sequence[Metadata], field: str, size: int) -> Groups:
    """Those that find room under all of their values; one without any always does."""
    taken: Counter[Value] = Counter()
    kept: Groups = []
    for group in groups:
        values = {compared(value) for value in values_of(metadata[group[0]].get(field))}
        if all(taken[value] < size for value in values):
            taken.update(values)
            kept.append(group)
    return kept


def _sorted(groups: Groups, metadata: Sequence[Metadata], sort: Sort) -> Groups:
    """In the order of the field, numbers before texts, or the other way round; of several values
    the one that comes first counts. Those without any come last, equal ones in their order."""
    first = max if sort.descending else min
    keyed = [
        ([(is_text(one), one) for one in values_of(metadata[group[0]].get(sort.field))], group)
        for group in groups
    ]
    having = [(first(keys), group) for keys, group in keyed if keys]
    having.sort(key=lambda one: one[0], reverse=sort.descending)
    return [*(group for _, group in having), *(group for keys, group in keyed if not keys)]
