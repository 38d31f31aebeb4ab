"""The allowed tokens of a batch on the CPU, compiled: one pass over the walk's arrays.

On a CPU the tensor operations of :mod:`service.beams.mask` would each go over all pairs once more,
and cost more to start than a small batch takes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semcore.trie.walk import GROUP, TAIL, Walk

Pairs = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]


def list_pairs(walk: Walk, positions: NDArray[np.int64]) -> Pairs:
    """Rows, tokens and edges, each [pairs], in order of row, as in
    :class:`service.beams.mask.Allowed`.

    Args:
        positions: int64 [batch], positions of the walk before its end; ABSENT has no pairs.
    """
    pairs: Pairs = _compiled()(
        positions, walk.alphabet, walk.first_edge, walk.codes, walk.tail_groups, walk.tail_lengths,
        walk.tails, walk.end,
    )  # fmt: skip
    return pairs


@cache
def _compiled() -> Any:
    # Only when it is needed: where numba is imported before vLLM's worker starts, vLLM's search
    # for kernels stumbles over it.
    from numba import njit

    return njit(nogil=True)(_list_pairs)


def _list_pairs(
    positions: Any, alphabet: Any, first_edge: Any, codes: Any, tail_groups: Any, tail_lengths: Any,
    tails: Any, end: int,
) -> Any:  # fmt: skip
    nodes = len(first_edge) - 1
    count = 0
    for position in positions:
        if position < 0:
            continue
        count += first_edge[position + 1] - first_edge[position] if position < nodes else 1
    rows = np.empty(count, np.int64)
    tokens = np.empty(count, np.int32)
    edges = np.empty(count, np.int64)
    pair = 0
    for row, position in enumerate(positions):
        if position < 0:
            continue
        if position < nodes:
            for edge in range(first_edge[position], first_edge[position + 1]):
                rows[pair] = row
                tokens[pair] = alphabet[codes[edge]]
                edges[pair] = edge
                pair += 1
            continue
        leaf, spelled = divmod(position - nodes, TAIL)
        rows[pair] = row
        edges[pair] = 0
        if spelled == tail_lengths[leaf]:
            tokens[pair] = end
        else:
            place = tail_groups[leaf // GROUP] + spelled
            for member in range(leaf - leaf % GROUP, leaf):
                place += tail_lengths[member]
            tokens[pair] = alphabet[tails[place]]
        pair += 1
    return rows, tokens, edges
