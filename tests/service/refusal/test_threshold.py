"""What is less likely to be right than asked is not kept; an index that does not know says so."""

import pytest

from semcore.bundle.calibration import Calibrations
from semcore.bundle.probability import Probability
from service.errors import InvalidQueryError
from service.refusal.threshold import NO_THRESHOLD, Threshold, threshold

BY_COSINE = Probability(-4.0, 8.0, 2.0)
BY_SCORE = Probability(2.0, 0.5, 0.5)
KNOWN = Calibrations(
    probable_alone={"text-to-image": BY_SCORE}, probable_guided={"text-to-image": BY_COSINE}
)


def test_cosines_count_where_there_are_such() -> None:
    told = Threshold(BY_COSINE).probabilities([-3.0, -9.0], [0.75, 0.5])
    assert told == BY_COSINE.of([0.75, 0.5]).tolist()
    alone = Threshold(BY_SCORE).probabilities([-3.0, -9.0], [None, None])
    assert alone == BY_SCORE.of([-3.0, -9.0]).tolist()
    assert Threshold(BY_SCORE).probabilities([], []) == []
    assert NO_THRESHOLD.probabilities([-3.0, -9.0], [0.75, 0.5]) == [None, None]


def test_what_is_less_likely_goes() -> None:
    assert [Threshold(BY_COSINE, 0.5).keeps(one) for one in (0.4, 0.5, None)] == [
        False, True, False,
    ]  # fmt: skip
    assert Threshold(BY_COSINE).keeps(0.0)
    assert NO_THRESHOLD.keeps(None)


def test_that_of_a_search() -> None:
    assert threshold(KNOWN, "text-to-image", 0.5, guided=True) == Threshold(BY_COSINE, 0.5)
    assert threshold(KNOWN, "text-to-image", None, guided=False) == Threshold(BY_SCORE)
    assert threshold(KNOWN, "image-to-text", None, guided=True) == NO_THRESHOLD


@pytest.mark.parametrize("guided", [True, False])
def test_an_index_that_does_not_know(guided: bool) -> None:
    with pytest.raises(InvalidQueryError, match="run 'semcore calibrate'") as refused:
        threshold(KNOWN, "image-to-text", 0.0, guided=guided)
    said = str(refused.value)
    assert ("without the guide" in said) is not guided
    assert ("gallery" in said) is not guided
