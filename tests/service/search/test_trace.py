"""A trace says after which step no beam led to an item any more."""

from collections.abc import Sequence

import numpy as np
import pytest
from walks import walk_of

from semcore.bundle.item import Item
from semcore.trie.layers import Layer, Layers
from service.beams.beam_search import Answer, BeamSearch
from service.engine.protocol import Found
from service.search.trace import trace_answer

END = 1
SEQUENCES = [(3, 4, END), (3, 5, END), (6, 7, 8, END)]
ITEM = Item("a", "image", "test", "a", False, "", "a.png", "<g0> boat", ("<g0> ship",))


@pytest.fixture
def layers() -> Layers:
    return Layers([Layer(walk_of(SEQUENCES))])


def spelled(layers: Layers, tokens: Sequence[int], *, constrained: bool = True) -> Found:
    """What a single beam finds that is led along tokens."""
    beams = BeamSearch(layers, 1, constrained=constrained, traced=True, stepwise=True)
    for token in tokens:
        (number,) = beams.rows
        beams.advance({number: Answer(token, np.array([token]), np.zeros(1, np.float32))})
    return Found(beams.beams, trail=beams.trail)


@pytest.mark.parametrize(
    ("tokens", "lost_at"), [((3, 4, END), None), ((3, 5, END), 2), ((6, 7, 8, END), 1)]
)
def test_says_where_the_beams_left_the_identifier(
    layers: Layers, tokens: Sequence[int], lost_at: int | None
) -> None:
    told = trace_answer(ITEM, [tokens], layers, spelled(layers, SEQUENCES[0]))
    assert (told.id, told.identifier) == ("a", "<g0> boat")
    assert (told.lost_at, told.steps) == (lost_at, len(tokens))


def test_of_several_identifiers_the_one_that_came_furthest_counts(layers: Layers) -> None:
    found = spelled(layers, SEQUENCES[0])
    told = trace_answer(ITEM, [(6, 7, 8, END), (3, 5, END)], layers, found)
    assert (told.lost_at, told.steps) == (2, 3)
    assert trace_answer(ITEM, [(3, 5, END), (3, 4, END)], layers, found).lost_at is None


def test_beams_that_ended_sooner_lost_it_with_its_last_step(layers: Layers) -> None:
    way = [layers.follow(SEQUENCES[2][:length]) for length in (1, 2)]
    found = Found([], trail=[[step[0]] for step in way if step is not None])
    assert trace_answer(ITEM, [(6, 7, 8, END)], layers, found).lost_at == 4


def test_an_identifier_of_no_layer_is_lost_where_it_leaves_them(layers: Layers) -> None:
    found = spelled(layers, SEQUENCES[0])
    assert trace_answer(ITEM, [(3, 9, END)], layers, found).lost_at == 2


def test_without_constraint_only_what_was_found_is_known(layers: Layers) -> None:
    found = spelled(layers, SEQUENCES[0], constrained=False)
    assert trace_answer(ITEM, [(3, 4, END)], layers, found).lost_at is None
    assert trace_answer(ITEM, [(3, 5, END)], layers, found).lost_at == 1
