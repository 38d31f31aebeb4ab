"""Spans lie within the time that has passed."""

import asyncio

from service.telemetry.stopwatch import Stopwatch


async def test_keeps_spans_within_spans() -> None:
    watch = Stopwatch()
    with watch.span("outer") as start:
        await asyncio.sleep(0.01)
        with watch.span("outer/inner"):
            await asyncio.sleep(0.01)
    watch.add("outer/timed elsewhere", start, 0.5)
    spans = {span.path: span for span in watch.spans}
    outer, inner = spans["outer"], spans["outer/inner"]
    assert outer.start <= inner.start
    assert inner.start + inner.seconds <= outer.start + outer.seconds <= watch.elapsed
    assert watch.milliseconds("outer/timed elsewhere") == 500.0
    assert watch.milliseconds("never") == 0.0
