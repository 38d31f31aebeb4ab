"""A circuit breaker: what fails again and again is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0


class Breaker:
    """Open, that is, forbidding, after ``failures`` in a row; then one call at a time may try.

    The pause is a second at first and twice as long each time that the try fails, up to half a
    minute (Nygard, *Release It!*, "Circuit Breaker").
    """

    def __init__(self, failures: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._clock = clock
        self._failures = 0
        self._pause = _FIRST_PAUSE
        self._until = 0.0
        self._tries = False

    @property
    def is_open(self) -> bool:
        return self._failures >= self._most

    def allows(self) -> bool:
        """Whether to call now. Who is allowed while it is open is the one that tries: others wait
        another pause, or for its success."""
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + self._pause
        self._tries = True
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._pause = _FIRST_PAUSE
        self._tries = False

    def failed(self) -> None:
        if self.is_open and not self._tries:
            return  # one of many calls at a time that began before it opened: no news
        self._failures += 1
        if not self.is_open:
            return
        if self._tries:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._tries = False
        self._until = self._clock() + self._pause
