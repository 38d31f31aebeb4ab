"""Several walks with items out of reach spell what a plain set of identifiers would."""

import random

import pytest
from pyroaring import BitMap
from walks import END, random_layer, random_sequences, walk_of

from semcore.trie.layers import Layer, Layers, Positions, Run, bury, live_edges

Sequence = tuple[int, ...]


def spelled_by(layers: Layers) -> dict[Sequence, list[int]]:
    """Everything that can be spelled, with its items."""
    found = {}
    under_way = [((), layers.root)]
    while under_way:
        tokens, positions = under_way.pop()
        for token in layers.allowed(positions).tolist():
            step = layers.step(positions, token)
            assert step is not None
            if token == END:
                found[(*tokens, END)] = layers.items_of(step[1])
            else:
                under_way.append(((*tokens, token), step[0]))
    return found


def places(layers: Layers) -> list[Positions]:
    """All that are met on the way to the identifiers."""
    found = [layers.root]
    for positions in found:
        for token in layers.allowed(positions).tolist():
            step = layers.step(positions, token)
            if token != END and step is not None:
                found.append(step[0])
    return found


def run_of(layers: Layers, positions: Positions) -> Run:
    """Step by step, as long as only one token is allowed."""
    tokens: list[int] = []
    while True:
        allowed = layers.allowed(positions).tolist()
        if len(allowed) != 1 or allowed == [END]:
            return Run(tuple(tokens), is_last=allowed == [END])
        step = layers.step(positions, allowed[0])
        assert step is not None
        tokens.append(allowed[0])
        positions = step[0]


@pytest.mark.parametrize("seed", range(30))
def test_spells_what_is_in_reach_of_any_layer(seed: int) -> None:
    rng = random.Random(seed)
    first, kept = random_layer(rng, rng.randrange(1, 80), 0, some=seed % 3 > 0)
    second, added = random_layer(rng, rng.randrange(1, 20), 1000, some=seed % 2 > 0)
    expected: dict[Sequence, list[int]] = {}
    for number, identifier in [*kept.items(), *added.items()]:
        expected.setdefault(identifier, []).append(number)
    layers = Layers([first, second])
    assert spelled_by(layers) == expected
    for positions in places(layers):
        assert layers.run(positions) == run_of(layers, positions)
    for identifier, numbers in expected.items():
        followed = layers.follow(identifier)
        assert followed is not None
        assert layers.items_of(followed[1]) == numbers
        assert len(identifier) <= layers.depth


def test_nothing_is_spelled_of_a_layer_with_nothing_in_reach() -> None:
    walk = walk_of([(2, 3, END), (2, 4, END)])
    nothing = BitMap()
    layers = Layers([Layer(walk, live_edges(walk, nothing), nothing)])
    assert layers.allowed(layers.root).tolist() == []
    assert layers.follow((2,)) is None


@pytest.mark.parametrize("seed", range(10))
def test_burying_one_by_one_is_leaving_all_out(seed: int) -> None:
    rng = random.Random(seed)
    spelled = random_sequences(rng, 60)
    walk = walk_of(spelled)
    listed = BitMap(range(len(spelled)))
    live = live_edges(walk, listed)
    assert live.all()
    for number in rng.sample(range(len(spelled)), len(spelled)):
        listed.remove(number)
        bury(walk, live, spelled[number])
        assert live.tolist() == live_edges(walk, listed).tolist()
