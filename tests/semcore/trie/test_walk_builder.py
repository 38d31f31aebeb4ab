"""The walk is built of identifiers in any order, and of nothing that is no set of them."""

import numpy as np
import pytest
from walks import walk_of

from semcore.trie.walk import ROOT

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
