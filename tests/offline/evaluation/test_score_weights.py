"""Weights are learned from right candidates, and change answers as the service would."""

import math
import random
from dataclasses import replace

import pytest

from offline.evaluation.query_runner import Answered, Shown
from offline.evaluation.score_weights import fit_weights, fused, is_told
from semcore.bundle.calibration import Calibration


def answer(rng: random.Random, prior: float, evidence: float) -> Answered:
    """Ten candidates, of which the right one is drawn by the weights given."""
    items = [Shown(f"{place}", rng.gauss(-8, 3), rng.gauss(0, 3)) for place in range(10)]
    scores = [prior * item.logprob + evidence * (item.odds or 0.0) for item in items]
    most = max(scores)
    (right,) = rng.choices(items, [2.718281828 ** (score - most) for score in scores])
    items = [replace(item, right=item is right) for item in items]
    return Answered("query", None, None, 1.0, False, 0.0, items=items)


def test_finds_the_weights_that_there_were() -> None:
    rng = random.Random(0)
    found = fit_weights([answer(rng, 0.4, 0.8) for _ in range(3000)])
    assert found.prior == pytest.approx(0.4, abs=0.08)
    assert found.evidence == pytest.approx(0.8, abs=0.12)


def test_finds_how_much_is_only_common() -> None:
    rng = random.Random(1)
    answered = []
    for _ in range(300):
        common = [rng.gauss(-8, 3) for _ in range(10)]
        told = [rng.gauss(0, 2) for _ in range(10)]
        most = max(told)
        (right,) = rng.choices(range(10), [2.718281828 ** (one - most) for one in told])
        items = [
            Shown(f"{n}", told[n] + 0.7 * common[n], None, common[n], n == right) for n in range(10)
        ]
        answered.append(Answered("query", None, None, 1.0, False, 0.0, items=items))
    weights = fit_weights(answered)
    assert weights.commonness == pytest.approx(0.7, abs=0.15)
    before = sum(fused(one, Calibration()).beam == 1 for one in answered)
    after = [fused(one, weights) for one in answered]
    assert sum(one.beam == 1 for one in after) > before
    assert all(one.verified == one.beam for one in after)
    # What has nothing to do with what is right is left out.
    chance = [
        replace(one, items=[replace(item, commonness=rng.gauss(-8, 3)) for item in one.items])
        for one in answered
    ]
    assert fit_weights(chance).commonness == 0


def described(seed: int, told: float, odds: float = 0.0) -> list[Answered]:
    """Candidates whose log-odds and description weigh so much."""
    rng = random.Random(seed)
    answered = []
    for _ in range(400):
        items = [
            Shown(f"{n}", rng.gauss(-8, 3), rng.gauss(0, 1), description=rng.gauss(0, 4))
            for n in range(10)
        ]
        scores = [
            0.4 * item.logprob + odds * (item.odds or 0.0) + told * (item.description or 0.0)
            for item in items
        ]
        (right,) = rng.choices(items, [math.exp(score - max(scores)) for score in scores])
        items = [replace(item, right=item is right) for item in items]
        answered.append(Answered("query", None, None, 1.0, False, 0.0, items=items))
    return answered


def test_weighs_the_description_where_that_tells_more() -> None:
    answered = described(2, told=0.3)
    weights = fit_weights(answered)
    assert weights.description == pytest.approx(0.3, abs=0.08)
    assert weights.evidence == 0.0
    blind = replace(weights, description=0.0)
    right = [sum(fused(one, each).verified == 1 for one in answered) for each in (weights, blind)]
    assert right[0] > right[1]
    assert fit_weights(described(3, told=0.0)).description == 0.0


def test_weighs_both_where_both_are_needed() -> None:
    weights = fit_weights(described(4, told=0.3, odds=1.5))
    assert weights.evidence == pytest.approx(1.5, rel=0.2)
    assert weights.description == pytest.approx(0.3, rel=0.2)


def test_odds_that_point_the_wrong_way_do_not_weigh() -> None:
    weights = fit_weights(described(5, told=0.3, odds=-1.5))
    assert weights.evidence == 0.0
    assert weights.description == pytest.approx(0.3, abs=0.1)


def test_too_little_to_learn_from_leaves_the_defaults() -> None:
    assert fit_weights(described(6, told=0.3)[:19]) == Calibration()
    alone = Answered("q", 1, 1, 1.0, False, 0.0, items=[Shown("a", -1.0, 2.0, right=True)])
    assert fit_weights([alone]) == fit_weights([]) == Calibration()
    assert fused(alone, Calibration()) == replace(alone, lead=math.inf)


def test_what_other_weights_would_verify_is_told_only_where_it_was() -> None:
    """Commonness brings the third one forward, which was not verified."""
    items = [
        Shown("a", -1.0, 0.0, commonness=-1.0),
        Shown("b", -2.0, 0.0, commonness=-1.0),
        Shown("c", -3.0, None, commonness=-9.0),
    ]
    found = Answered("q", 1, 1, 1.0, False, 0.0, items=items)
    assert is_told(found, Calibration())
    assert not is_told(found, Calibration(commonness=1.0))
    assert is_told(replace(found, items=items[:2]), Calibration(commonness=1.0))


def test_other_weights_give_another_order() -> None:
    items = [Shown("b", -1.0, 0.0), Shown("a", -3.0, 1.5, right=True)]
    first = Answered("q", 2, 2, 2.0, False, 0.0, 0.5, items=items)
    sceptical = fused(first, Calibration(prior=1.0, evidence=1.0))
    assert (sceptical.verified, sceptical.first_changed) == (2, False)
    trusting = fused(first, Calibration(prior=0.5, evidence=1.0))
    assert (trusting.verified, trusting.first_changed) == (1, True)
    assert [item.id for item in trusting.items] == ["a", "b"]
    assert trusting.confidence == pytest.approx(1 / (1 + 2.718281828**-0.5))
