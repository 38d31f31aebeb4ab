"""Deadlines: how much of a search fits into the time that it has left.

What a beam and a verified candidate take is learned from the searches before. As time runs out,
fewer candidates are verified, then none, then fewer beams go on: the order in which it costs least.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Self

_WEIGHT = 0.3  # of the newest search in the moving averages
_FEWEST_BEAMS = 4
_SURE = 1.2  # what is expected to take a second may take this


class Deadline:
    """A moment by which the answer has to be there; without ``seconds`` there is none.

    Attributes:
        by_client: the client has asked for it.
    """

    def __init__(self, seconds: float | None = None, *, by_client: bool = False) -> None:
        self.by_client = by_client
        self._until = None if seconds is None else time.monotonic() + seconds

    @classmethod
    def of_request(cls, asked: int | None, usual: int) -> Self:
        """That of a request, in milliseconds: as its client has asked, else the usual one; 0:
        there is none."""
        milliseconds = asked or usual
        seconds = milliseconds / 1000 if milliseconds else None
        return cls(seconds, by_client=asked is not None)

    @property
    def left(self) -> float | None:
        """Seconds; None without a deadline."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())


@dataclass(frozen=True, slots=True)
class Plan:
    """How many beams a search has, and how many candidates it verifies at most."""

    beam_width: int
    verified: int


class Pace:
    """Moving averages of what the parts of a search take, in seconds."""

    def __init__(self) -> None:
        self._beam = 0.0
        self._candidate = 0.0

    def plan(self, wanted: Plan, left: float | None) -> Plan:
        """What of a plan can be done in the time that is left.

        The time of a search is taken to be proportional to its beams, though few take more than
        their share, so that a plan with few of them may yet be late.
        """
        if left is None:
            return wanted
        width = wanted.beam_width
        if self._beam:
            fits = math.floor(left / (_SURE * self._beam))
            width = min(width, max(_FEWEST_BEAMS, fits))
        return Plan(width, self.verified(wanted.verified, left - _SURE * width * self._beam))

    def verified(self, wanted: int, left: float | None) -> int:
        """How many candidates can be verified in the time that is left: 0, or two at least."""
        if left is None or not wanted:
            return wanted
        fits = math.floor(left / (_SURE * self._candidate)) if self._candidate else wanted
        count = min(wanted, fits) if left > 0 else 0
        return count if count >= 2 else 0

    def searched(self, beam_width: int, seconds: float) -> None:
        self._beam = _moved(self._beam, seconds / beam_width)

    def judged(self, candidates: int, seconds: float) -> None:
        self._candidate = _moved(self._candidate, seconds / candidates)


def _moved(average: float, value: float) -> float:
    return value if not average else average + _WEIGHT * (value - average)
