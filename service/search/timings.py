"""What an answer says of the time that its search took."""

from __future__ import annotations

from service.schemas.answer import SpanAnswer
from service.telemetry.stopwatch import Stopwatch

_STAGES = (
    "facets", "filter", "queue", "tokenise", "beams", "guide", "items", "likelihood", "commonness",
    "verify", "rank",
)  # fmt: skip


def timings(watch: Stopwatch) -> dict[str, float]:
    """Milliseconds of each stage, and in all. The guide works while the beams do."""
    stages = {stage: watch.milliseconds(stage) for stage in _STAGES}
    return {**stages, "total": 1000 * watch.elapsed}


def spans(watch: Stopwatch) -> list[SpanAnswer]:
    """Every part of a search."""
    return [
        SpanAnswer(path=span.path, start=1000 * span.start, length=1000 * span.seconds)
        for span in watch.spans
    ]
