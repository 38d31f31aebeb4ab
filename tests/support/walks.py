"""Walks of a few token sequences."""

from collections.abc import Sequence

import numpy as np

from semcore.trie.walk import Walk
from semcore.trie.walk_builder import build_walk


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
