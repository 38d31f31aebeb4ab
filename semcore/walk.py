"""The walk: a trie over token sequences as flat arrays, made for looking up the next tokens.

The marisa-trie is the file that holds the identifiers as text; enumerating its keys at every
decoding step is far too slow. The walk holds the same identifiers as the tokens of one model, in
compressed sparse row form: nodes are numbered breadth first, so the children of a node are
neighbours, and a node's number is also the number of the edge that leads to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semcore.errors import BundleError

ROOT = 0
_ARRAYS = ("first_child", "tokens", "keys")


@dataclass(frozen=True, slots=True)
class Walk:
    """Arrays over the nodes; node 0 is the root.

    Attributes:
        first_child: int32 [nodes + 1]; node n has the children first_child[n] up to, not
            including, first_child[n + 1].
        tokens: int32 [nodes], the token that leads to each node, ascending among the children of
            one node; -1 at the root.
        keys: int32 [nodes], for a leaf the number of its identifier in the trie, else -1.
    """

    first_child: NDArray[np.int32]
    tokens: NDArray[np.int32]
    keys: NDArray[np.int32]

    def children(self, node: int) -> slice:
        """The children of a node, as a slice of node numbers."""
        return slice(int(self.first_child[node]), int(self.first_child[node + 1]))

    def allowed(self, node: int) -> NDArray[np.int32]:
        """The tokens that may follow, int32 [children], ascending; empty at a leaf."""
        return self.tokens[self.children(node)]

    def allowed_of(self, nodes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """What :meth:`allowed` says of many nodes at once, in one gather.

        Args:
            nodes: int64 [batch].

        Returns:
            rows: int64 [pairs], for each allowed token its node's place in ``nodes``, ascending.
            tokens: int32 [pairs], ascending within a row.
        """
        # 1. How many children each node has, and which row each child belongs to.
        starts = self.first_child[nodes].astype(np.int64)
        counts = self.first_child[nodes + 1] - starts
        rows = np.repeat(np.arange(len(nodes)), counts)
        # 2. Children of a node are neighbours: number all pairs, and shift each row to its start.
        ends = np.cumsum(counts)
        shifts = starts - (ends - counts)
        return rows, self.tokens[np.arange(len(rows)) + shifts[rows]]

    def step(self, node: int, token: int) -> int | None:
        """The child that ``token`` leads to, or None where the trie has none."""
        children = self.children(node)
        found = children.start + int(np.searchsorted(self.tokens[children], token))
        if found < children.stop and self.tokens[found] == token:
            return int(found)
        return None

    def follow(self, tokens: Sequence[int], node: int = ROOT) -> int | None:
        """The node at the end of ``tokens``, or None where they leave the trie."""
        for token in tokens:
            following = self.step(node, token)
            if following is None:
                return None
            node = following
        return node

    @property
    def depth(self) -> int:
        """The length of the longest identifier, in tokens; the last node lies deepest."""
        node, steps = len(self.tokens) - 1, 0
        while node != ROOT:
            node = int(self.first_child.searchsorted(node, side="right")) - 1
            steps += 1
        return steps

    def save(self, stem: Path) -> None:
        """Write one ``.npy`` file an array, named ``{stem}.{array}.npy``."""
        for name in _ARRAYS:
            np.save(f"{stem}.{name}.npy", getattr(self, name), allow_pickle=False)


def file_names(stem: str) -> list[str]:
    """The files that :meth:`Walk.save` writes."""
    return [f"{stem}.{name}.npy" for name in _ARRAYS]


def load_walk(stem: Path) -> Walk:
    """Map the arrays into memory. Raises :class:`BundleError` that names a file it cannot read."""
    arrays = []
    for name in _ARRAYS:
        path = f"{stem}.{name}.npy"
        try:
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise BundleError(f"{path} cannot be read ({error}); train the bundle again") from error
    return Walk(*arrays)


def build_walk(sequences: Sequence[Sequence[int]], keys: Sequence[int]) -> Walk:
    """Build the walk of token sequences, none of which may be a prefix of another.

    Sorting brings equal prefixes together; a node begins wherever a row differs from the one
    above in any token up to that depth.

    Args:
        sequences: the tokens of each identifier, its end token included.
        keys: int [len(sequences)], the number of each identifier in the trie.

    Raises:
        ValueError: a sequence is empty, equals another or is its prefix.
    """
    if not sequences or not all(sequences):
        raise ValueError("a walk needs at least one sequence, and none may be empty")
    # 1. One padded table, sorted by row.
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    depth = int(lengths.max())
    table = np.full((len(sequences), depth), -1, dtype=np.int32)
    table[np.arange(depth)[None, :] < lengths[:, None]] = np.concatenate(
        [np.asarray(sequence, dtype=np.int32) for sequence in sequences]
    )
    order = np.lexsort(table.T[::-1])
    table, lengths = table[order], lengths[order]
    sorted_keys = np.asarray(keys, dtype=np.int32)[order]
    # 2. Where each node of each depth begins.
    begins = np.ones((len(table), depth), dtype=bool)
    begins[1:] = np.logical_or.accumulate(table[1:] != table[:-1], axis=1)
    if not begins[:, -1].all():
        raise ValueError("two identifiers have the same tokens")
    present = table >= 0
    # 3. Number the nodes depth by depth; a parent is the latest node begun one depth above.
    tokens, parents, node_keys = [np.full(1, -1)], [], [np.full(1, -1)]
    above = np.zeros(len(table), dtype=np.int64)
    count = 1
    for level in range(depth):
        rows = np.flatnonzero(begins[:, level] & present[:, level])
        tokens.append(table[rows, level])
        parents.append(above[rows])
        ends = lengths[rows] == level + 1
        node_keys.append(np.where(ends, sorted_keys[rows], -1))
        numbers = np.zeros(len(table), dtype=np.int64)
        numbers[rows] = np.arange(count, count + len(rows))
        above = np.maximum.accumulate(numbers)
        count += len(rows)
    # 4. Children of each node.
    children = np.bincount(np.concatenate(parents), minlength=count)
    first_child = np.concatenate([[1], 1 + np.cumsum(children)])
    walk = Walk(
        first_child.astype(np.int32),
        np.concatenate(tokens).astype(np.int32),
        np.concatenate(node_keys).astype(np.int32),
    )
    if ((walk.keys >= 0) & (children > 0)).any():
        raise ValueError("an identifier is the prefix of another; end each with the end token")
    return walk
