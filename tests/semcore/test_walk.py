"""The walk agrees with a plain dictionary of prefixes."""

import random
from pathlib import Path

import numpy as np
import pytest

from semcore.errors import BundleError
from semcore.walk import ROOT, build_walk, file_names, load_walk

END = 0


def random_sequences(seed: int) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    bodies = {tuple(rng.randint(1, 6) for _ in range(rng.randint(1, 5))) for _ in range(200)}
    return [(*body, END) for body in sorted(bodies, key=lambda _: rng.random())]


@pytest.mark.parametrize("seed", range(5))
def test_allows_exactly_what_some_sequence_continues_with(seed: int) -> None:
    sequences = random_sequences(seed)
    walk = build_walk(sequences, range(len(sequences)))
    following: dict[tuple[int, ...], set[int]] = {}
    for sequence in sequences:
        for place in range(len(sequence)):
            following.setdefault(sequence[:place], set()).add(sequence[place])
    for prefix, tokens in following.items():
        node = walk.follow(prefix)
        assert node is not None
        assert walk.allowed(node).tolist() == sorted(tokens)
    assert len(walk.tokens) == len(following) + len(sequences)


@pytest.mark.parametrize("seed", range(3))
def test_many_nodes_at_once_allow_what_each_allows(seed: int) -> None:
    walk = build_walk(sequences := random_sequences(seed), range(len(sequences)))
    nodes = np.random.default_rng(seed).integers(0, len(walk.tokens), 50)
    rows, tokens = walk.allowed_of(nodes)
    for place, node in enumerate(nodes.tolist()):
        assert tokens[rows == place].tolist() == walk.allowed(node).tolist()
    assert rows.tolist() == sorted(rows.tolist())
    assert all(len(part) == 0 for part in walk.allowed_of(np.empty(0, np.int64)))


def test_leaves_carry_the_keys(tmp_path: Path) -> None:
    sequences = random_sequences(9)
    build_walk(sequences, range(len(sequences))).save(tmp_path / "image")
    walk = load_walk(tmp_path / "image")
    for key, sequence in enumerate(sequences):
        leaf = walk.follow(sequence)
        assert leaf is not None
        assert walk.keys[leaf] == key
        assert walk.allowed(leaf).size == 0
    assert walk.step(ROOT, 99) is None
    assert walk.follow((*sequences[0], 1)) is None


def test_refuses_prefixes_and_duplicates() -> None:
    with pytest.raises(ValueError, match="prefix"):
        build_walk([(1, 2), (1, 2, 3)], [0, 1])
    with pytest.raises(ValueError, match="same tokens"):
        build_walk([(1, 2), (1, 2)], [0, 1])
    with pytest.raises(ValueError, match="at least one"):
        build_walk([], [])


def test_names_the_file_it_cannot_read(tmp_path: Path) -> None:
    build_walk([(1, END)], [0]).save(tmp_path / "text")
    damaged = tmp_path / file_names("text")[1]
    damaged.write_bytes(b"not an array")
    with pytest.raises(BundleError, match=damaged.name):
        load_walk(tmp_path / "text")
