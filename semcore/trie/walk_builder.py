"""Builds the walk, vectorised: sort the identifiers, and see where neighbours part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semcore.trie.walk import GROUP, MANY, MOST_TOKENS, Codes, Walk


def build_walk(
    tokens: NDArray[np.int32],
    lengths: NDArray[np.int64],
    items: NDArray[np.int64],
    owners: NDArray[np.int64],
) -> Walk:
    """Build the walk over identifiers that all end with one and the same token.

    Args:
        tokens: int32 [sum of lengths], the identifiers one after the other.
        lengths: int64 [identifiers], tokens of each, the end token included.
        items: int64 [items], numbers below 2^31.
        owners: int64 [items], for each item the place of its identifier in ``lengths``.

    Identifiers of the same tokens become one, with the items of both: to a model they are the same.

    Raises:
        ValueError: no identifiers; one does not end with the end token, or holds it before; one
            owns no item; or a tail is longer than 254 tokens.
    """
    alphabet, table, lengths, order = _sorted_table(tokens, lengths)
    count, depth = table.shape
    # 1. How many tokens each identifier shares with the one before it, and needs to be alone.
    shared = np.zeros(count + 1, dtype=np.int16)
    shared[0] = shared[-1] = -1
    for low in range(1, count, 1 << 20):
        high = min(low + (1 << 20), count)
        differ = table[low:high] != table[low - 1 : high - 1]
        shared[low:high] = np.where(differ.any(axis=1), differ.argmax(axis=1), depth)
    differs = shared[:-1] < depth
    if not differs.all():
        merged = np.empty(count, dtype=np.int64)
        merged[order] = np.cumsum(differs) - 1
        owners = merged[owners]
        table, lengths = table[differs], lengths[differs]
        shared = np.append(shared[:-1][differs], shared[-1])
        count = len(table)
        order = np.arange(count)
    alone = np.maximum(np.maximum(shared[:-1], shared[1:]) + 1, 1)
    # 2. Level by level: the nodes that begin there, and the edges that lead to them and to leaves.
    parents, kinds, codes, below = [], [], [], [_leaves_below(np.array([0]), count)]
    leaf_rows = []
    branches, nodes = np.zeros(count, dtype=np.int32), 1
    for level in range(1, int(alone.max()) + 1):
        begins = shared[:-1] < level
        to_node = np.flatnonzero(begins & (alone > level))
        to_leaf = np.flatnonzero(alone == level)
        rows = np.concatenate([to_node, to_leaf])
        parent = branches[rows]
        kind = np.arange(len(rows)) >= len(to_node)
        inside = np.lexsort((kind, parent))
        parents.append(parent[inside])
        kinds.append(kind[inside])
        codes.append(table[rows, level - 1][inside])
        leaf_rows.append(rows[inside][kind[inside]])
        # The rows of a node follow its first one; those of other rows at this level do not matter.
        starts = np.flatnonzero(begins)
        below.append(_leaves_below(starts, count)[alone[starts] > level])
        numbers = np.zeros(count, dtype=np.int32)
        numbers[to_node] = np.arange(nodes, nodes + len(to_node))
        branches = np.maximum.accumulate(numbers)
        nodes += len(to_node)
    parent, kind = np.concatenate(parents), np.concatenate(kinds)
    leaves = np.concatenate(leaf_rows)
    # 3. What each leaf has left to spell, and its items.
    tails, tail_lengths, tail_groups = _tails(table, lengths, alone, leaves)
    listed, shared_leaves, surplus = _items(items, owners, order[leaves])
    return Walk(
        alphabet=alphabet,
        first_edge=_starts(np.bincount(parent, minlength=nodes), 0),
        first_branch=_starts(np.bincount(parent[~kind], minlength=nodes), 1),
        codes=np.concatenate(codes),
        leaves=np.concatenate(below),
        tail_groups=tail_groups,
        tail_lengths=tail_lengths,
        tails=tails,
        items=listed,
        shared=shared_leaves,
        surplus=surplus,
        end=int(tokens[-1]),
    )


def _sorted_table(
    tokens: NDArray[np.int32], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int32], Codes, NDArray[np.int64], NDArray[np.int64]]:
    """The alphabet, the codes as [identifiers, depth] sorted by row, their lengths and order.

    Rows are filled up with zeros; the end token tells identifiers apart before that matters.
    """
    count = len(lengths)
    if not count or not lengths.all():
        raise ValueError("a walk needs at least one identifier, and none may be empty")
    alphabet = np.unique(tokens)
    codes = alphabet.searchsorted(tokens).astype(
        np.uint16 if len(alphabet) <= 1 << 16 else np.uint32
    )
    ends = np.cumsum(lengths) - 1
    last = codes[ends]
    if (last != last[0]).any() or (codes == last[0]).sum() != count:
        raise ValueError("identifiers must end with one and the same token, and hold it only there")
    depth = int(lengths.max())
    table = np.zeros((count, depth), dtype=codes.dtype)
    table[np.arange(depth) < lengths[:, None]] = codes
    # Several codes make up one number, so that fewer columns have to be sorted.
    a_key = 8 // codes.itemsize
    padded = np.zeros((count, -(-depth // a_key) * a_key), dtype=codes.dtype.newbyteorder(">"))
    padded[:, :depth] = table
    keys = padded.view(">u8").astype(np.uint64)
    order = np.lexsort(keys.T[::-1])
    return alphabet.astype(np.int32), table[order], lengths[order], order


def _leaves_below(starts: NDArray[np.int64], count: int) -> NDArray[np.uint8]:
    return np.minimum(np.diff(np.append(starts, count)), MANY).astype(np.uint8)


def _starts(counts: NDArray[np.int64], first: int) -> NDArray[np.int32]:
    return np.concatenate([[first], first + np.cumsum(counts)]).astype(np.int32)


def _tails(
    table: Codes, lengths: NDArray[np.int64], alone: NDArray[np.int16], leaves: NDArray[np.int64]
) -> tuple[Codes, NDArray[np.uint8], NDArray[np.int64]]:
    """All tails, their lengths, and where that of every 32nd leaf begins."""
    left = np.maximum(lengths[leaves] - alone[leaves] - 1, 0)
    if left.max() > MOST_TOKENS:
        raise ValueError("an identifier has more than 254 tokens that it shares with no other")
    ends = np.cumsum(left)
    starts = ends - left
    tails = np.empty(int(ends[-1]), dtype=table.dtype)
    for step in range(int(left.max())):
        going_on = left > step
        rows = leaves[going_on]
        tails[starts[going_on] + step] = table[rows, alone[rows] + step]
    return tails, left.astype(np.uint8), starts[::GROUP].astype(np.int64)


def _items(
    items: NDArray[np.int64], owners: NDArray[np.int64], leaves: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """``Walk.items``, ``shared`` and ``surplus``; ``leaves``: the identifier of each leaf."""
    leaf_of = np.empty(len(leaves), dtype=np.int64)
    leaf_of[leaves] = np.arange(len(leaves))
    owned = leaf_of[owners]
    counts = np.bincount(owned, minlength=len(leaves))
    if not counts.all():
        raise ValueError("an identifier owns no item")
    shared = np.flatnonzero(counts > 1)
    return (
        items[np.lexsort((items, owned))].astype(np.int32),
        shared.astype(np.int32),
        np.cumsum(counts[shared] - 1),
    )
