"""The walk agrees with a plain dictionary of prefixes."""

import random
from pathlib import Path

import pytest
from walks import walk_of

from semcore.errors import BundleError
from semcore.trie.walk import DONE, MANY, file_names, load_walk

END = 3


def random_sequences(seed: int) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    tokens = [0, 1, 2, 4, 5, 70_000]
    bodies = {tuple(rng.choices(tokens, k=rng.randint(0, 6))) for _ in range(200)}
    return [(*body, END) for body in sorted(bodies, key=lambda _: rng.random())]


@pytest.mark.parametrize("seed", range(5))
def test_allows_exactly_what_some_sequence_continues_with(seed: int) -> None:
    sequences = random_sequences(seed)
    walk = walk_of(sequences)
    following: dict[tuple[int, ...], set[int]] = {}
    for sequence in sequences:
        for place in range(len(sequence)):
            following.setdefault(sequence[:place], set()).add(sequence[place])
    for prefix, tokens in following.items():
        spelled = walk.follow(prefix)
        assert spelled is not None
        position, leaf = spelled
        assert walk.allowed(position).tolist() == sorted(tokens)
        below = [s for s in sequences if s[: len(prefix)] == prefix]
        if len(below) > 1:
            assert position < walk.nodes
            assert leaf == -1
            assert walk.leaves[position] == min(len(below), MANY)
        for other in {0, 1, 2, 4, 5, 70_000, 99, END} - tokens:
            assert walk.step(position, other) is None


@pytest.mark.parametrize("seed", range(3))
def test_leaves_hold_the_items(tmp_path: Path, seed: int) -> None:
    sequences = random_sequences(seed)
    rng = random.Random(seed)
    owners = [*range(len(sequences)), *rng.choices(range(len(sequences)), k=300)]
    rng.shuffle(owners)
    walk_of(sequences, owners).save(tmp_path / "image")
    walk = load_walk(tmp_path / "image")
    assert walk.end == END
    seen = set()
    for number, sequence in enumerate(sequences):
        spelled = walk.follow(sequence)
        assert spelled is not None
        position, leaf = spelled
        assert position == DONE
        assert walk.allowed(position).size == 0
        assert walk.step(position, END) is None
        expected = [item for item, owner in enumerate(owners) if owner == number]
        assert walk.items_of(leaf).tolist() == expected
        seen.add(leaf)
    assert seen == set(range(walk.identifiers))


def test_levels_are_as_wide_and_deep_as_the_widest_and_deepest() -> None:
    walk = walk_of([(1, 2, END), (1, 4, END), (1, 5, 6, 7, END), (8, END)])
    assert walk.fanouts == (2, 3)
    assert walk.depth >= 5
    alone = walk_of([(1, END)])
    assert alone.nodes == 1
    assert alone.follow((1, END)) == (DONE, 0)


@pytest.mark.parametrize("content", [b"", b"not an array"])
def test_names_the_file_it_cannot_read(tmp_path: Path, content: bytes) -> None:
    walk_of([(1, END)]).save(tmp_path / "text")
    damaged = tmp_path / file_names("text")[1]
    damaged.write_bytes(content)
    with pytest.raises(BundleError, match=damaged.name):
        load_walk(tmp_path / "text")
