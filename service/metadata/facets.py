"""Facets: the values of metadata fields, counted over all items that pass a filter."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pyroaring import BitMap

from semcore.bundle.filter import Filter, Value, is_text
from semcore.kind import Kind
from service.errors import DeadlineError
from service.index.filtered_sides import THREADS
from service.index.lookup import in_threads, look_up
from service.index.snapshot import Snapshot
from service.index.stored_postings import Postings
from service.schemas.metadata import LIMIT, Facet, Facets, ValueCount
from service.telemetry.stopwatch import Stopwatch
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline

_readers = ThreadPoolExecutor(THREADS, "postings")
_counters = ThreadPoolExecutor(THREADS, "facets")


@dataclass(frozen=True, slots=True)
class Counting:
    """What is counted.

    Attributes:
        kind: of the items; None: both.
        most: values of a field that are told.
    """

    fields: tuple[str, ...]
    kind: Kind | None = None
    wanted: Filter | None = None
    most: int = LIMIT


class FacetCounter:
    """Counts beside the event loop, a few at a time. What has to be read from the bundle first has
    a queue of its own, so that it holds up none of the counts that need no more than memory."""

    def __init__(self, admission: Admission) -> None:
        """``admission``: the queue of searches; as many may wait in each of those here."""
        self._reading = admission.beside(THREADS)
        self._counting = admission.beside(THREADS)

    async def count(self, snapshot: Snapshot, counting: Counting, deadline: Deadline) -> Facets:
        """The counts of :func:`facets`.

        Raises:
            InvalidQueryError: as :func:`facets`.
            OverloadedError: too many wait for a turn.
            DeadlineError: there was no time.
        """
        await look_up(snapshot.postings.check, counting.fields)
        if snapshot.postings.knows(counting.kind, counting.wanted, counting.fields):
            queue, threads = self._counting, _counters
        else:
            queue, threads = self._reading, _readers
        async with queue.turn(deadline):
            try:
                async with asyncio.timeout(deadline.left):
                    return await in_threads(threads, facets, snapshot, counting)
            except TimeoutError as error:
                raise DeadlineError(
                    "the deadline passed before the items were counted; allow it more time",
                    by_client=deadline.by_client,
                ) from error

    async def beside(
        self, watch: Stopwatch, snapshot: Snapshot, counting: Counting, deadline: Deadline
    ) -> Facets | None:
        """The same beside a search, timed; None where no fields are to be counted."""
        if not counting.fields:
            return None
        with watch.span("facets"):
            return await self.count(snapshot, counting, deadline)


def facets(snapshot: Snapshot, counting: Counting) -> Facets:
    """Values and counts of some fields, over all items that can be found and pass the filter.

    Raises :class:`InvalidQueryError` if a field is not known, or has too many different values.
    """
    snapshot.postings.check(counting.fields)
    passing = snapshot.postings.passing(counting.kind, counting.wanted)
    return Facets(
        total=len(passing),
        fields=[
            facet(field, snapshot.postings.of(field), passing, counting.most)
            for field in counting.fields
        ],
    )


def facet(field: str, postings: Sequence[Postings], passing: BitMap, most: int) -> Facet:
    """The values of a field among some items.

    Args:
        postings: of the field; together they have all its items.
        passing: numbers of the items.
        most: values that are told, the commonest.
    """
    counts: Counter[Value] = Counter()
    without = len(passing)
    for part in postings:
        without -= part.having.intersection_cardinality(passing)
        for value, items in part.items.items():
            count = items.intersection_cardinality(passing)
            if count:
                counts[value] += count
    told = heapq.nsmallest(most, counts.items(), key=lambda one: (-one[1], *_in_order(one[0])))
    numbers = [value for value in counts if not isinstance(value, str)]
    return Facet(
        field=field,
        values=[ValueCount(value=value, count=count) for value, count in told],
        distinct=len(counts),
        without=without,
        min=min(numbers, default=None),
        max=max(numbers, default=None),
    )


def _in_order(value: Value) -> tuple[bool, Value]:
    """Numbers before texts."""
    return is_text(value), value
