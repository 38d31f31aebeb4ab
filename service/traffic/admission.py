"""Admission: how many searches run in the engine, how many wait, and who is sent away."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.errors import DeadlineError, OverloadedError
from service.telemetry import metrics
from service.traffic.deadline import Deadline

_WEIGHT = 0.1  # of the newest search in the moving average


class Admission:
    """A bounded queue in front of the engine."""

    def __init__(self, running: int, waiting: int) -> None:
        """Args:
        running: searches in the engine at a time.
        waiting: searches that wait for a turn; further ones are sent away at once.
        """
        self._turns = asyncio.Semaphore(running)
        self._running = running
        self._most = waiting
        self._waiting = 0
        self._seconds = 0.0  # that a search takes, as a moving average

    @property
    def retry_after(self) -> int:
        """Whole seconds after which there should be room again."""
        return max(1, math.ceil((self._waiting + 1) * self._seconds / self._running))

    def beside(self, running: int) -> Admission:
        """Another queue for what comes before, in which as many may wait."""
        return Admission(running, self._most)

    @asynccontextmanager
    async def turn(self, deadline: Deadline, *, patient: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, and hold it.

        Args:
            patient: of the service itself, which waits however many there are, and in nobody's
                place.

        Raises:
            OverloadedError: too many wait already.
            DeadlineError: the deadline passed before the turn came.
        """
        if self._turns.locked() and self._waiting >= self._most and not patient:
            metrics.REFUSED.labels("queue").inc()
            raise OverloadedError(
                f"{self._waiting} searches wait already; search again later", self.retry_after
            )
        counted = not patient
        self._waiting += counted
        metrics.QUEUE.inc(counted)
        try:
            async with asyncio.timeout(deadline.left):
                await self._turns.acquire()
        except TimeoutError as error:
            raise DeadlineError(
                "the deadline passed before the search could begin; allow it more time, or search "
                "again later",
                self.retry_after,
                by_client=deadline.by_client,
            ) from error
        finally:
            self._waiting -= counted
            metrics.QUEUE.dec(counted)
        began = time.monotonic()
        try:
            yield
        finally:
            self._turns.release()
            took = time.monotonic() - began
            self._seconds += (_WEIGHT if self._seconds else 1.0) * (took - self._seconds)
