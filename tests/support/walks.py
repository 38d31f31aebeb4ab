"""Walks of a few token sequences, and of random ones."""

from collections.abc import Sequence

import numpy as np

from semcore.trie.walk import ROOT, Walk
from semcore.trie.walk_builder import build_walk

END = 1
"""Of random walks."""
VOCABULARY = 20


def walk_of(
    sequences: Sequence[Sequence[int]], owners: Sequence[int] | None = None, first: int = 0
) -> Walk:
    """The walk of sequences; the i-th item belongs to sequence ``owners[i]``, else to the i-th;
    items are numbered from ``first``."""
    lengths = [len(sequence) for sequence in sequences]
    tokens = [token for sequence in sequences for token in sequence]
    owned = np.arange(len(lengths)) if owners is None else np.array(owners)
    return build_walk(
        np.array(tokens, dtype=np.int32),
        np.array(lengths, dtype=np.int64),
        first + np.arange(len(owned)),
        owned,
    )


def random_walk(seed: int) -> Walk:
    rng = np.random.default_rng(seed)
    bodies = {tuple(rng.integers(2, VOCABULARY, rng.integers(0, 7)).tolist()) for _ in range(300)}
    return walk_of([(*body, END) for body in sorted(bodies)])


def random_positions(walk: Walk, seed: int) -> list[int]:
    """Positions met on the way, of nodes and in tails."""
    rng = np.random.default_rng(seed)
    met = []
    for _ in range(30):
        position = ROOT
        while position >= 0:
            met.append(position)
            step = walk.step(position, int(rng.choice(walk.allowed(position))))
            assert step is not None
            position = step[0]
    return rng.permutation(met).tolist()
