"""An answer says what each stage took, and of every part where it began."""

import pytest

from service.search.timings import spans, timings
from service.telemetry.stopwatch import Stopwatch


def test_stages_in_milliseconds() -> None:
    watch = Stopwatch()
    watch.add("beams", 0.5, 0.25)
    watch.add("beams/step 1", 0.5, 0.125)
    watch.add("beams", 1.0, 0.25)
    found = timings(watch)
    assert found["beams"] == pytest.approx(500)
    assert found["guide"] == found["verify"] == 0
    assert found["total"] > 0
    assert "beams/step 1" not in found
    told = [(one.path, one.start, one.length) for one in spans(watch)]
    assert told == [("beams", 500, 250), ("beams/step 1", 500, 125), ("beams", 1000, 250)]
