"""Where a search spends its time: spans within spans."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """``path`` names the spans around it as well, as in ``beams/step 2/masks``.

    ``start`` counts from the start of the stopwatch; both times are seconds.
    """

    path: str
    start: float
    seconds: float


@dataclass(slots=True)
class Stopwatch:
    """Runs from when it is made."""

    spans: list[Span] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._began

    @contextmanager
    def span(self, path: str) -> Iterator[float]:
        """Time the block; gives its start."""
        start = self.elapsed
        try:
            yield start
        finally:
            self.spans.append(Span(path, start, self.elapsed - start))

    def add(self, path: str, start: float, seconds: float) -> None:
        """A span that somebody else has timed."""
        self.spans.append(Span(path, start, seconds))

    def milliseconds(self, path: str) -> float:
        """Of all spans of this path together."""
        return 1000 * sum(span.seconds for span in self.spans if span.path == path)
