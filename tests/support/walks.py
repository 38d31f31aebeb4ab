"""Walks of a few token sequences, and of random ones."""

import random
from collections.abc import Sequence

import numpy as np
from pyroaring import BitMap

from semcore.trie.layers import Layer, live_edges
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


def random_sequences(rng: random.Random, count: int) -> list[tuple[int, ...]]:
    """Up to so many, of up to five tokens and the end token."""
    found = {tuple(rng.choices(range(2, 8), k=rng.randrange(6))) for _ in range(count)}
    return [(*body, END) for body in sorted(found)]


def random_layer(
    rng: random.Random, count: int, first: int, *, some: bool
) -> tuple[Layer, dict[int, tuple[int, ...]]]:
    """A layer whose items are numbered from ``first``, and the identifiers of those in reach: of
    ``some`` only, or of all."""
    spelled = random_sequences(rng, count)
    owners = [*range(len(spelled)), *(rng.randrange(len(spelled)) for _ in range(count // 3))]
    walk = walk_of(spelled, owners, first)
    listed = np.ones(first + len(owners), dtype=bool)
    if some:
        listed[first:] = [rng.random() < 0.3 for _ in owners]
    found = {first + n: spelled[owner] for n, owner in enumerate(owners) if listed[first + n]}
    chosen = BitMap(np.flatnonzero(listed))
    return Layer(walk, live_edges(walk, chosen) if some else None, chosen), found


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
