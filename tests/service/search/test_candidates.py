"""Candidates are the items of the beams, in the order of their scores and of their verdicts."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from semcore.bundle.calibration import Calibration
from semcore.bundle.item import Item
from semcore.bundle.probability import Probability
from semcore.trie.layers import Layer, Layers
from semcore.trie.walk_builder import build_walk
from service.beams.beam_search import Beam, Choice
from service.beams.side import Side
from service.refusal.threshold import NO_THRESHOLD, Threshold
from service.search.candidates import Candidate, candidates_of, kept, leads, ranked
from service.search.gsv import Verdict

END = 1
SPELLED = {"<g0> boat": (3, END), "<g0> dog": (4, END), "<g0> cat": (5, END)}


def a_text(item_id: str, identifier: str, *views: str) -> Item:
    return Item(
        item_id, "text", "test", item_id, False, f"the text {item_id}", "", identifier, views
    )


ITEMS = [a_text("a", "<g0> boat"), a_text("b", "<g0> boat"), a_text("c", "<g0> dog", "<g0> cat")]
SNAPSHOT: Any = SimpleNamespace(items=lambda numbers: [ITEMS[number] for number in numbers])
PATH = (Choice(3, -0.5, ((4, -2.0), (5, -3.0))), Choice(END, -0.25, ()))


@pytest.fixture
def side() -> Side:
    """The first two items share an identifier, the last one has two."""
    tokens = [token for sequence in SPELLED.values() for token in sequence]
    numbers, owners = np.array([0, 1, 2, 2]), np.array([0, 0, 1, 2])
    walk = build_walk(np.array(tokens, np.int32), np.array([2, 2, 2]), numbers, owners)
    return Side(Layers([Layer(walk)]), ())


def beam(side: Side, identifier: str, logprob: float) -> Beam:
    found = side.layers.follow(SPELLED[identifier])
    assert found is not None
    return Beam(found[1], logprob, PATH)


async def listed(side: Side, beams: Sequence[Beam], most: int = 10) -> list[Candidate]:
    return await candidates_of(SNAPSHOT, side, beams, SPELLED.__getitem__, most, Calibration())


def candidates(*scores: float) -> list[Candidate]:
    return [
        Candidate(item, item.identifier, score - 1, 1.0, None, score, PATH, number=number)
        for number, (item, score) in enumerate(zip(ITEMS, scores, strict=False))
    ]


async def test_items_that_share_an_identifier_share_its_score(side: Side) -> None:
    found = await listed(side, [beam(side, "<g0> boat", -1.0), beam(side, "<g0> dog", -2.0)])
    assert [(one.item.id, one.score) for one in found] == [("a", -1.0), ("b", -1.0), ("c", -2.0)]
    assert all(one.logprob == one.score and one.commonness is None for one in found)
    assert found[0].choices == PATH
    assert [ITEMS[one.number] for one in found] == [one.item for one in found]


async def test_of_several_identifiers_the_likeliest_counts(side: Side) -> None:
    beams = [beam(side, "<g0> cat", -1.0), beam(side, "<g0> dog", -2.0)]
    (found,) = await listed(side, beams)
    assert (found.item.id, found.identifier, found.logprob) == ("c", "<g0> cat", -1.0)
    (found,) = await listed(side, beams[1:])
    assert (found.identifier, found.logprob) == ("<g0> dog", -2.0)


async def test_no_more_items_than_are_wanted_and_none_of_what_no_layer_holds(side: Side) -> None:
    beams = [Beam((), -0.1), beam(side, "<g0> boat", -1.0), beam(side, "<g0> dog", -2.0)]
    for most in range(1, 4):
        found = await listed(side, beams, most)
        assert [one.item.id for one in found] == ["a", "b", "c"][:most]
    assert await listed(side, beams[:1]) == []


@pytest.mark.parametrize(
    ("scores", "margin", "expected"),
    [
        ((-1.0, -3.0), 2.0, True),
        ((-1.0, -3.0), 2.5, False),
        ((-1.0, -1.0), 0.0, True),
        ((-1.0, -3.0), None, False),
        ((-1.0,), 0.0, False),
        ((), 0.0, False),
    ],
)
def test_the_first_leads_by_a_margin(
    scores: Sequence[float], margin: float | None, expected: bool
) -> None:
    assert leads(candidates(*scores), margin) == expected


def test_what_is_hardly_right_is_not_kept() -> None:
    found = candidates(0.75, 0.5, 0.25)
    probability = Probability(-4.0, 8.0, 0.0)
    told = kept(found, Threshold(probability))
    assert [one.item for one in told] == [one.item for one in found]
    assert [one.probability for one in told] == probability.of([0.75, 0.5, 0.25]).tolist()
    assert [one.item.id for one in kept(found, Threshold(probability, 0.5))] == ["a", "b"]
    # The cosine counts where there is one.
    by_cosine = [replace(one, cosine=1 - one.score) for one in found]
    assert [one.item.id for one in kept(by_cosine, Threshold(probability, 0.6))] == ["c"]
    assert kept(found, NO_THRESHOLD) == found
    assert kept([], Threshold(probability, 0.5)) == []
    assert ranked(told, [])[0].probability == told[0].probability
    assert ranked(found, [])[0].probability is None


def test_verdicts_order_those_that_have_one() -> None:
    verdicts = [Verdict(0.2, -1.0), Verdict(0.8, 2.0, 5.5)]
    first, second, third = ranked(candidates(-1.0, -2.0, -3.0), verdicts)
    assert [item.id for item in (first, second, third)] == ["b", "a", "c"]
    assert [item.rank for item in (first, second, third)] == [1, 2, 3]
    assert [item.beam_rank for item in (first, second, third)] == [2, 1, 3]
    assert (first.verification, first.odds, first.description) == (0.8, 2.0, 5.5)
    assert (third.verification, third.odds, third.description) == (None, None, None)
    assert (first.score, first.logprob, first.commonness) == (-2.0, -3.0, 1.0)
    assert first.text == "the text b"


def test_a_page_keeps_the_ranks_of_the_whole() -> None:
    page = ranked(candidates(-1.0, -2.0, -3.0), [], slice(1, 3))
    assert [(item.id, item.rank, item.beam_rank) for item in page] == [("b", 2, 2), ("c", 3, 3)]


def test_near_duplicates_are_named_by_the_one_they_are_folded_under() -> None:
    found = candidates(-1.0, -2.0, -3.0)
    first, second = ranked(found, [], groups=[[1, 0], [2]])
    assert (first.id, first.rank, first.beam_rank) == ("b", 1, 2)
    assert (first.duplicates, first.duplicate_count) == (["a"], 1)
    assert (second.id, second.rank) == ("c", 2)
    assert (second.duplicates, second.duplicate_count) == ([], 0)
    (page,) = ranked(found, [], slice(1, 3), groups=[[1, 0], [2]])
    assert page == second


def test_says_how_an_identifier_was_spelled_where_that_is_asked() -> None:
    texts = {3: " boat", 4: " dog", 5: " cat", END: ""}
    (told,) = ranked(candidates(-1.0), [], read=texts.__getitem__)
    assert [(step.text, step.logprob) for step in told.path] == [(" boat", -0.5), ("", -0.25)]
    assert [(one.text, one.logprob) for one in told.path[0].beaten] == [
        (" dog", -2.0),
        (" cat", -3.0),
    ]
    (plain,) = ranked(candidates(-1.0), [])
    assert plain.path == []
