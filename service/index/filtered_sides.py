"""What filters leave of an index: worked out once each, beside the event loop and other work."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from semcore.bundle.filter import Filter
from service.cache.byte_cache import ByteCache

THREADS = 2
"""Filters that are worked out at a time."""
_OWN = 500  # bytes of what leads to one that is kept

_workers = ThreadPoolExecutor(THREADS, "filter")
Left = TypeVar("Left")


def filter_key(wanted: Filter) -> str:
    """Names a filter, however long it is."""
    said = wanted.model_dump_json(exclude_none=True, by_alias=True)
    return hashlib.sha256(said.encode()).hexdigest()


@dataclass(slots=True)
class _Flight(Generic[Left]):
    work: Future[Left]
    waiting: int = 0


class FilteredSides(Generic[Left]):
    """Those used last, within a budget of bytes. One that is known waits for no other."""

    def __init__(self, most: int, size_of: Callable[[Left], int]) -> None:
        """
        Args:
            most: bytes of all together.
            size_of: bytes of one.
        """
        self._kept: ByteCache[Left] = ByteCache(most)
        self._size_of = size_of
        self._flights: dict[str, _Flight[Left]] = {}

    def known(self, key: str) -> tuple[Left] | None:
        """What was worked out under a key, by itself in a tuple; None if nothing is kept."""
        return self._kept.get(key)

    async def of(self, key: str, work: Callable[[], Left]) -> Left:
        """What ``work`` leaves; of several who ask at the same time one works for all.

        It goes on where who asked has gone, unless it has not begun. Raises what it raises.
        """
        known = self._kept.get(key)
        if known is not None:
            return known[0]
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(_workers.submit(partial(self._worked_out, key, work)))
            self._flights[key] = flight
            flight.work.add_done_callback(lambda _: self._flights.pop(key, None))
        flight.waiting += 1
        try:
            return await asyncio.shield(asyncio.wrap_future(flight.work))
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.work.cancel()

    def _worked_out(self, key: str, work: Callable[[], Left]) -> Left:
        left = work()
        self._kept.put(key, left, self._size_of(left) + _OWN)
        return left
