"""Single flight: of equal questions at the same time one is worked on, for all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Flight(Generic[Answer]):
    task: asyncio.Task[Answer]
    waiting: int = 0


class SingleFlight(Generic[Answer]):
    """Work by key. It ends early when all who wait for it have gone."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[Answer]] = {}

    async def run(self, key: str, work: Callable[[], Awaitable[Answer]]) -> tuple[Answer, bool]:
        """The answer of ``work``, or of the work under the same key that is under way already, and
        whether it was another's. All who wait for work that fails get its error."""
        flight = self._flights.get(key)
        shared = flight is not None
        if flight is None:
            flight = _Flight(asyncio.ensure_future(_run(work)))
            self._flights[key] = flight
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), shared
        finally:
            flight.waiting -= 1
            if self._flights.get(key) is flight and (flight.task.done() or not flight.waiting):
                del self._flights[key]
            if not flight.waiting:
                flight.task.cancel()


async def _run(work: Callable[[], Awaitable[Answer]]) -> Answer:
    return await work()
