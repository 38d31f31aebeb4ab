"""Folding and maximal marginal relevance are what looking at all pairs gives."""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semcore.bundle.calibration import Calibration
from semcore.bundle.item import Item
from semcore.guide.vectors import quantised
from service.errors import InvalidQueryError
from service.search.candidates import Candidate, ranking
from service.search.diversity import (
    AS_RANKED,
    DUPLICATE,
    Diversity,
    diversified,
    folded,
    grouped,
    relevance,
)
from service.search.gsv import Verdict

MOST = 12
CALIBRATION = Calibration(prior=0.5, evidence=2.0, description=1.0)
# Multiples of 1/64 and of 1/8, whose products and sums floats hold exactly: equal is equal.
SIXTY_FOURTHS = st.integers(-64, 64).map(lambda value: value / 64)
EIGHTHS = st.integers(0, 8).map(lambda value: value / 8)


@st.composite
def likeness(draw: st.DrawFn, cosines: st.SearchStrategy[float]) -> np.ndarray:
    """Symmetric, with ones on the diagonal."""
    count = draw(st.integers(1, MOST))
    found: np.ndarray = np.eye(count, dtype=np.float32)
    for row in range(count):
        for column in range(row):
            found[row, column] = found[column, row] = draw(cosines)
    return found


def by_hand(told: Sequence[float], alike: np.ndarray, weight: float) -> list[int]:
    order: list[int] = []
    while len(order) < len(told):
        merits = {
            place: (1 - weight) * told[place]
            - weight * max((float(alike[place, other]) for other in order), default=0.0)
            for place in range(len(told))
            if place not in order
        }
        best = max(merits.values())
        order.append(min(place for place, merit in merits.items() if merit == best))
    return order


def folded_by_hand(alike: np.ndarray) -> list[list[int]]:
    groups: list[list[int]] = []
    for place in range(len(alike)):
        mine = [group for group in groups if alike[group[0], place] > DUPLICATE]
        if mine:
            mine[0].append(place)
        else:
            groups.append([place])
    return groups


@given(likeness(SIXTY_FOURTHS), st.data(), EIGHTHS)
def test_the_order_is_that_of_the_definition(
    alike: np.ndarray, data: st.DataObject, weight: float
) -> None:
    told = data.draw(st.lists(SIXTY_FOURTHS.map(abs), min_size=len(alike), max_size=len(alike)))
    assert diversified(np.array(told), alike, weight) == by_hand(told, alike, weight)


@given(likeness(st.sampled_from([-1.0, 0.5, DUPLICATE - 1e-3, DUPLICATE + 1e-3, 1.0])))
def test_near_duplicates_are_folded_under_the_first(alike: np.ndarray) -> None:
    groups = folded(alike)
    assert groups == folded_by_hand(alike)
    assert sorted(place for group in groups for place in group) == list(range(len(alike)))
    firsts = [group[0] for group in groups]
    assert (alike[np.ix_(firsts, firsts)] <= np.where(np.eye(len(firsts)), 1, DUPLICATE)).all()


def test_a_chain_of_near_duplicates_is_as_long_as_they_are_near_the_first() -> None:
    alike = np.array([[1, 0.99, 0.9], [0.99, 1, 0.99], [0.9, 0.99, 1]], dtype=np.float32)
    assert folded(alike) == [[0, 1], [2]]


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_at_either_end_one_of_the_two_counts(weight: float) -> None:
    """The second is like the first, and the third is not."""
    alike = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]], dtype=np.float32)
    told = np.array([1.0, 0.9, 0.0])
    assert diversified(told, alike, weight) == ([0, 2, 1] if weight else [0, 1, 2])


def candidate(number: int, score: float) -> Candidate:
    item = Item(f"item {number}", "text", "test", "", False, "", "", "<g0> boat")
    return Candidate(item, item.identifier, score, None, None, score, number=number)


def verdicts_of(
    candidates: Sequence[Candidate], odds: Sequence[float], calibration: Calibration
) -> list[Verdict]:
    weighed = [
        calibration.weighed(one.score, told, None)
        for one, told in zip(candidates, odds, strict=False)
    ]
    total = sum(map(math.exp, weighed))
    return [
        Verdict(math.exp(value) / total, told) for value, told in zip(weighed, odds, strict=True)
    ]


@given(
    st.lists(SIXTY_FOURTHS, min_size=1, max_size=MOST),
    st.lists(SIXTY_FOURTHS, max_size=MOST),
)
def test_relevance_follows_the_ranking(scores: list[float], odds: list[float]) -> None:
    candidates = [candidate(n, score) for n, score in enumerate(sorted(scores, reverse=True))]
    verdicts = verdicts_of(candidates, odds[: len(candidates)], CALIBRATION)
    told = relevance(candidates, verdicts, CALIBRATION)
    in_order = told[ranking(candidates, verdicts)]
    assert (np.diff(in_order) <= 1e-12).all()
    assert in_order[-1] == 0
    assert in_order[0] == pytest.approx(1) or (told == 0).all()


def snapshot(vectors: np.ndarray) -> Any:
    rows = quantised(vectors.astype(np.float32))
    return SimpleNamespace(has_guide=True, vectors_of=lambda numbers: rows[numbers])


@given(arrays(np.int8, (MOST, 3), elements=st.integers(-3, 3)), EIGHTHS, st.booleans(), st.data())
async def test_groups_are_of_places_and_in_the_order_of_both(
    vectors: np.ndarray, weight: float, folds: bool, data: st.DataObject
) -> None:
    """Checked step by step, as floats decide between those that are equally good."""
    numbers = data.draw(st.permutations(range(MOST)))
    odds = data.draw(st.lists(SIXTY_FOURTHS, max_size=MOST))
    candidates = [candidate(n, float(MOST - place)) for place, n in enumerate(numbers)]
    verdicts = verdicts_of(candidates, odds, CALIBRATION)
    groups = await grouped(
        snapshot(vectors), candidates, verdicts, CALIBRATION, Diversity(weight, folds)
    )
    assert sorted(place for group in groups for place in group) == list(range(MOST))
    own = quantised(vectors.astype(np.float32)).astype(float)[numbers]
    rows = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
    alike = rows @ rows.T
    order = ranking(candidates, verdicts)
    apart = folded_by_hand(alike[np.ix_(order, order)]) if folds else [[n] for n in range(MOST)]
    assert sorted(groups) == sorted([order[place] for place in group] for group in apart)
    told = relevance(candidates, verdicts, CALIBRATION)
    firsts = [group[0] for group in groups]
    merits = [
        {
            place: (1 - weight) * told[place]
            - weight * max((alike[place, other] for other in firsts[:step]), default=0.0)
            for place in firsts[step:]
        }
        for step in range(len(firsts))
    ]
    for first, merit in zip(firsts, merits, strict=True):
        assert merit[first] >= max(merit.values()) - 1e-5


async def test_where_nothing_is_wanted_no_vector_is_looked_at() -> None:
    candidates = [candidate(n, -float(n)) for n in range(3)]
    verdicts = [Verdict(0.2), Verdict(0.8)]
    nothing: Any = None
    groups = await grouped(nothing, candidates, verdicts, CALIBRATION, AS_RANKED)
    assert groups == [[1], [0], [2]]
    assert await grouped(nothing, [], [], CALIBRATION, Diversity(0.5)) == []


async def test_an_item_without_a_vector_is_like_no_other() -> None:
    candidates = [candidate(n, -float(n)) for n in range(3)]
    vectors = np.array([[0, 0], [0, 0], [1, 1]])
    groups = await grouped(
        snapshot(vectors), candidates, [], CALIBRATION, Diversity(1.0, folds=True)
    )
    assert groups == [[0], [1], [2]]


@pytest.mark.parametrize("wanted", [Diversity(0.1), Diversity(folds=True)])
def test_an_index_without_a_guide_says_so(wanted: Diversity) -> None:
    plain: Any = SimpleNamespace(has_guide=False)
    with pytest.raises(InvalidQueryError, match="leave diversity and fold_duplicates out"):
        wanted.check(plain)
    wanted.check(snapshot(np.eye(2)))
    AS_RANKED.check(plain)
