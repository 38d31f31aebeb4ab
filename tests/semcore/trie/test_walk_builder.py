"""The walk is built of identifiers in any order, and of nothing that is no set of them."""

import random
from dataclasses import fields

import numpy as np
import pytest
from walks import walk_of

from semcore.trie.walk import GROUP, MANY, ROOT

END = 3


def test_an_alphabet_of_many_tokens_takes_wider_codes() -> None:
    rng = np.random.default_rng(0)
    sequences = [(int(a), int(b), END) for a, b in zip(rng.permutation(70_000) + 10,
                 rng.integers(10, 99_999, 70_000), strict=True)]  # fmt: skip
    walk = walk_of(sequences)
    assert walk.codes.dtype == np.uint32
    assert walk.follow(sequences[123]) is not None
    assert len(walk.allowed(ROOT)) == 70_000


def test_identifiers_of_the_same_tokens_become_one() -> None:
    sequences = [(5, 2, END), (1, END), (5, 2, END), (6, 4, END), (1, END), (1, END)]
    walk = walk_of(sequences, [0, 1, 2, 3, 4, 5, 0])
    assert walk.identifiers == 3
    found = {}
    for sequence in sequences:
        spelled = walk.follow(sequence)
        assert spelled is not None
        found[sequence] = walk.items_of(spelled[1]).tolist()
    assert found == {(5, 2, END): [0, 2, 6], (1, END): [1, 4, 5], (6, 4, END): [3]}


def test_refuses_what_is_no_set_of_identifiers() -> None:
    with pytest.raises(ValueError, match="one and the same token"):
        walk_of([(1, END), (1, 2)])
    with pytest.raises(ValueError, match="only there"):
        walk_of([(1, END), (1, END, END)])
    with pytest.raises(ValueError, match="at least one"):
        walk_of([])
    with pytest.raises(ValueError, match="owns no item"):
        walk_of([(1, END), (2, END)], [0, 0])
    with pytest.raises(ValueError, match="254"):
        walk_of([(*range(10, 300), END), (2, END)])


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_identifiers_and_items_makes_no_difference(seed: int) -> None:
    rng = random.Random(seed)
    bodies = {tuple(rng.choices([0, 1, 2, 4, 70_000], k=rng.randint(0, 6))) for _ in range(150)}
    sequences = [(*body, END) for body in sorted(bodies)]
    owners = [*range(len(sequences)), *rng.choices(range(len(sequences)), k=99)]
    first = walk_of(sequences, owners)
    order = rng.sample(range(len(sequences)), len(sequences))
    place = {old: new for new, old in enumerate(order)}
    second = walk_of([sequences[old] for old in order], [place[owner] for owner in owners])
    for field in fields(first):
        one, other = (np.asarray(getattr(walk, field.name)) for walk in (first, second))
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), field.name


def test_arrays_are_as_a_walk_describes_them() -> None:
    alone = [(1, token, 2, *([4] * (token % 5)), END) for token in range(10, 10 + 300)]
    walk = walk_of([*alone, (5, END)], [*range(301), 0, 0])
    assert walk.alphabet.tolist() == [1, 2, END, 4, 5, *range(10, 310)]
    assert (walk.nodes, walk.identifiers, len(walk.codes)) == (2, 301, 302)
    assert walk.leaves.tolist() == [MANY, MANY]
    assert walk.codes.dtype == np.uint16
    tails = [len(one) - 3 for one in alone]  # the edge to the leaf and the end token are no part
    assert walk.tail_lengths.tolist() == [0, *tails]
    starts = np.cumsum([0, 0, *tails])[:-1:GROUP]
    assert walk.tail_groups.tolist() == starts.tolist()
    assert len(walk.tails) == sum(tails)
    assert walk.items.tolist() == [300, 0, 301, 302, *range(1, 300)]
    assert (walk.shared.tolist(), walk.surplus.tolist()) == ([1], [2])
    assert walk.end == END
    assert walk.allowed(ROOT).tolist() == [1, 5]
