"""Probabilities hold where they are measured; that nothing fits is one of their cases."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator

from offline.corpus.corpus import Corpus
from offline.evaluation import probability
from offline.evaluation.probability import (
    FEWEST,
    Case,
    answered_cases,
    fit_probability,
    guide_cases,
)
from offline.evaluation.query_runner import Answered, Questions, Shown, chosen_queries
from semcore.bundle.bundle import ITEMS
from semcore.bundle.calibration import Calibration
from semcore.bundle.item import ItemStore
from semcore.bundle.probability import lead
from semcore.errors import BundleError

TEXTS = Questions("text-to-image", "val")


def drawn(rng: Generator, gap: float) -> Case:
    """Ten candidates around 0.3, the first of them right and above that by a gap."""
    values = rng.normal(0.3, 0.1, 10)
    values[0] += gap
    return Case(values, np.arange(10) == 0)


def test_probabilities_are_as_often_right_as_they_say() -> None:
    rng = np.random.default_rng(0)
    fitted = fit_probability([drawn(rng, 0.3) for _ in range(2000)])
    assert fitted is not None
    said, right = [], []
    for place in range(2000):
        case = drawn(rng, 0.3)
        kept = ~case.right if place % 2 else np.ones(10, dtype=bool)  # in every other nothing fits
        said.append(fitted.of(case.values[kept]))
        right.append(case.right[kept])
    told, was = np.concatenate(said), np.concatenate(right)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.01)):
        bin_ = (told >= low) & (told < high)
        assert told[bin_].mean() == pytest.approx(was[bin_].mean(), abs=0.08)


def test_a_best_candidate_that_is_wrong_is_a_case() -> None:
    """Right items have high values, and so have the best of those that are left without them."""
    high = Case(np.array([0.9, 0.89, 0.2]), np.array([True, False, False]))
    alone = Case(np.array([0.9, 0.3, 0.2]), np.array([True, False, False]))
    doubtful, sure = fit_probability([high] * 100), fit_probability([alone] * 100)
    assert doubtful is not None
    assert sure is not None
    assert doubtful.of(high.values)[0] < 0.7 < sure.of(alone.values)[0]


def test_what_tells_nothing_has_no_probability() -> None:
    rng = np.random.default_rng(0)
    cases = [drawn(rng, 0.3) for _ in range(FEWEST)]
    assert fit_probability(cases) is not None
    assert fit_probability(cases[1:]) is None
    below = [drawn(rng, -0.5) for _ in range(100)]
    assert fit_probability(below) is None
    nothing = [Case(one.values, np.zeros(10, dtype=bool)) for one in cases]
    assert fit_probability(nothing) is None


def test_scores_of_a_service_have_the_weights_of_the_calibration() -> None:
    items = [
        Shown("a", -2.0, None, commonness=-8.0, right=True),
        Shown("b", -1.0, None, commonness=-2.0),
    ]
    answered = Answered("q", 1, 1, 1.0, False, 0.0, items=items)
    empty = replace(answered, items=[])
    (case,) = answered_cases([answered, empty], Calibration(commonness=0.5))
    assert case.values.tolist() == [2.0, 0.0]
    assert case.right.tolist() == [True, False]


def test_the_guide_is_asked_without_a_service(
    untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = guide_cases(untrained, TEXTS)
    queries = chosen_queries(untrained, TEXTS)
    assert len(cases) == len(queries)
    for case in cases:
        assert case.values.tolist() == sorted(case.values, reverse=True)
        assert case.right.sum() <= 1
    first = np.mean([case.right[0] for case in cases])
    assert first > 0.3
    monkeypatch.setattr(probability, "_CHUNK", 7)  # items at a time
    again = guide_cases(untrained, TEXTS)
    for one, other in zip(cases, again, strict=True):
        assert one.values == pytest.approx(other.values)
    fitted = fit_probability(cases)
    assert fitted is not None
    best = [fitted.of(case.values)[0] for case in cases]
    taken = [fitted.of(case.values[~case.right]).max() for case in cases]
    assert np.mean(best) > np.mean(taken)


def test_a_picture_that_asks_needs_a_guide_that_sees(guided: Path, untrained: Path) -> None:
    pictures = replace(TEXTS, direction="image-to-text")
    assert guide_cases(untrained, pictures) == []
    cases = guide_cases(guided, pictures)
    store = ItemStore(guided / ITEMS, ())
    texts = sum(1 for _ in store.of_split("val", "text"))
    pictures_asked = sum(1 for _ in store.of_split("val", "image"))
    store.close()
    assert len(cases) == pictures_asked
    assert max(int(case.right.sum()) for case in cases) > 1  # several captions are of one picture
    assert all(case.right.sum() <= texts for case in cases)
    assert all(lead(case.values)[0] >= 0 for case in cases)


def test_pictures_may_lie_elsewhere(guided: Path, corpus: Corpus) -> None:
    pictures = replace(TEXTS, direction="image-to-text", limit=2)
    here = guide_cases(guided, pictures)
    there = guide_cases(guided, pictures, corpus.image_root)
    assert [case.values.tolist() for case in here] == [case.values.tolist() for case in there]


def test_a_bundle_without_a_guide(trained: Path) -> None:
    with pytest.raises(BundleError, match="has no guide"):
        guide_cases(trained / "bundle", TEXTS)
