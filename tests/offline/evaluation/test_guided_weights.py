"""The guide's cosine weighs as much as validation queries say, and is never made worse."""

import random
from dataclasses import replace

import pytest

from offline.evaluation.guided_weights import GUIDE_ALONE, fit_guided
from offline.evaluation.query_runner import Answered, Shown
from offline.evaluation.score_weights import fused
from semcore.bundle.calibration import GUIDED


def searches(count: int, *, beams: float, guide: float, odds: float = 0.0) -> list[Answered]:
    """Of ten candidates one is right; ``beams``, ``guide``, ``odds``: how much each knows."""
    rng = random.Random(f"{beams} {guide} {odds}")
    found = []
    for number in range(count):
        right = rng.randrange(10)
        items = [
            Shown(
                f"{place}",
                None if place == 9 else rng.gauss(-8, 3) + beams * (place == right),
                rng.gauss(0, 1) + odds * (place == right),
                commonness=None if place == 9 else -1.0,
                right=place == right,
                cosine=rng.gauss(0.5, 0.1) + guide * (place == right),
            )
            for place in range(10)
        ]
        found.append(
            Answered(f"{number}", None, None, 0.0, False, 0.0, items=items, pair=f"{number}")
        )
    return found


def first_places(answered: list[Answered], weights: object) -> float:
    assert isinstance(weights, type(GUIDED))
    return sum(fused(one, weights).verified == 1 for one in answered) / len(answered)


def test_both_are_better_than_either() -> None:
    known, fresh = searches(200, beams=6, guide=0.15), searches(201, beams=6, guide=0.15)
    found = fit_guided(known)
    assert found.gain is not None
    assert found.error is not None
    assert found.gain > found.error > 0
    assert first_places(fresh, found.calibration) > first_places(fresh, GUIDE_ALONE) + 0.05
    beams = replace(found.calibration, cosine=0.0)
    assert first_places(fresh, found.calibration) > first_places(fresh, beams) + 0.05


def test_verification_weighs_as_well() -> None:
    known, fresh = (
        searches(200, beams=0, guide=0.1, odds=3),
        searches(201, beams=0, guide=0.1, odds=3),
    )
    found = fit_guided(known).calibration
    without = replace(found, evidence=0.0)
    assert first_places(fresh, found) > first_places(fresh, without) + 0.1


def test_the_order_of_the_guide_stands_where_nothing_is_better() -> None:
    found = fit_guided(searches(150, beams=-4, guide=0.5, odds=-3))
    assert found.calibration == GUIDE_ALONE
    assert found.gain is not None
    assert found.error is not None
    assert found.gain <= found.error


def test_a_gain_that_may_be_chance_changes_no_order() -> None:
    """Evidence that knows hardly anything gains on some sets of queries and loses on others."""
    chosen = [
        fit_guided(searches(150, beams=0, guide=0.2, odds=odds / 1000), seed=0)
        for odds in range(12)
    ]
    gains = [one for one in chosen if one.gain is not None and 0 < one.gain <= (one.error or 0.0)]
    assert gains
    assert all(one.calibration == GUIDE_ALONE for one in gains)


@pytest.mark.parametrize("count", [0, 99])
def test_few_queries_give_the_defaults(count: int) -> None:
    found = fit_guided(searches(count, beams=6, guide=0.1))
    assert (found.calibration, found.gain, found.error) == (GUIDED, None, None)


def test_queries_whose_items_are_not_there_do_not_count() -> None:
    nothing = [
        replace(one, items=[replace(item, right=False) for item in one.items])
        for one in searches(300, beams=6, guide=0.1)
    ]
    assert fit_guided(nothing).calibration == GUIDED


def test_the_pull_holds_what_few_queries_would_overdo() -> None:
    found = fit_guided(searches(100, beams=100, guide=1)).calibration
    assert 0 <= found.likelihood < 20 * GUIDED.likelihood
    assert 0 <= found.cosine < 20 * GUIDED.cosine
