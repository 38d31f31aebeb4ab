"""Several walks with items out of reach spell what a plain set of identifiers would."""

import random

import numpy as np
import pytest
from pyroaring import BitMap
from walks import walk_of

from semcore.trie.layers import Layer, Layers, bury, live_edges

END = 1
Sequence = tuple[int, ...]


def sequences(rng: random.Random, count: int) -> list[Sequence]:
    found = {tuple(rng.choices(range(2, 8), k=rng.randrange(6))) for _ in range(count)}
    return [(*body, END) for body in sorted(found)]


def layer(
    rng: random.Random, count: int, first: int, *, some: bool
) -> tuple[Layer, dict[int, Sequence]]:
    """A layer whose items are numbered from ``first``, and the identifiers of those in reach."""
    spelled = sequences(rng, count)
    owners = [*range(len(spelled)), *(rng.randrange(len(spelled)) for _ in range(count // 3))]
    walk = walk_of(spelled, owners, first)
    listed = np.ones(first + len(owners), dtype=bool)
    if some:
        listed[first:] = [rng.random() < 0.3 for _ in owners]
    found = {first + n: spelled[owner] for n, owner in enumerate(owners) if listed[first + n]}
    chosen = BitMap(np.flatnonzero(listed))
    return Layer(walk, live_edges(walk, chosen) if some else None, chosen), found


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


@pytest.mark.parametrize("seed", range(30))
def test_spells_what_is_in_reach_of_any_layer(seed: int) -> None:
    rng = random.Random(seed)
    first, kept = layer(rng, rng.randrange(1, 80), 0, some=seed % 3 > 0)
    second, added = layer(rng, rng.randrange(1, 20), 1000, some=seed % 2 > 0)
    expected: dict[Sequence, list[int]] = {}
    for number, identifier in [*kept.items(), *added.items()]:
        expected.setdefault(identifier, []).append(number)
    layers = Layers([first, second])
    assert spelled_by(layers) == expected
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
    spelled = sequences(rng, 60)
    walk = walk_of(spelled)
    listed = BitMap(range(len(spelled)))
    live = live_edges(walk, listed)
    assert live.all()
    for number in rng.sample(range(len(spelled)), len(spelled)):
        listed.remove(number)
        bury(walk, live, spelled[number])
        assert live.tolist() == live_edges(walk, listed).tolist()
