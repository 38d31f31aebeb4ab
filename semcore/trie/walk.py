"""The walk: a trie over token sequences as flat arrays, made for looking up the next tokens.

The marisa-trie is the file that holds the identifiers as text; enumerating its keys at every
decoding step is far too slow. The walk holds the same identifiers as the tokens of one model.

A *node* is a beginning that two or more identifiers share; nodes are numbered breadth first. From
a node lead *edges*, one a token: first those to further nodes, then those to *leaves*, each part
ascending by token. What follows the edge to a leaf is spelled by one identifier alone: its *tail*,
kept as a plain run of tokens. The place in an identifier is one number, its *position*: that of a
node; or, in the tail of a leaf, ``nodes + 256 * leaf + tokens of the tail that are spelled``.

Tokens are kept as their ranks among the tokens that occur (*codes*), two bytes each as long as
there are at most 65,536 of them. With N nodes, L leaves, N + L - 1 edges, T tokens in tails and I
items, the arrays take 11 N + 3.25 L + 2 T + 4 I bytes, and a little for leaves of several items.
For 1 million identifiers of 7.8 tokens, N = 0.2 L and T = 3.6 L: 17 bytes an identifier, the items
included. For 100 million, were N = 0.5 L and T = 3 L (more is shared), 19 bytes: 1.9 GB. Nodes and
leaves are numbered in 32 bits, so 2 thousand million identifiers are the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semcore.errors import BundleError

ROOT = 0
DONE = -1
"""The position after the end token."""
ABSENT = -2
"""The position where a walk does not hold what was spelled (see :mod:`semcore.trie.layers`)."""
TAIL = 256
"""Positions that each leaf has for its tail."""
MOST_TOKENS = TAIL - 2
"""That an identifier may have, its end included."""
GROUP = 32
"""Leaves for which one start of a tail is kept."""
MANY = 255
"""What ``Walk.leaves`` says of a node with as many leaves below it, or more."""

_ARRAYS = (
    "alphabet", "first_edge", "first_branch", "codes", "leaves", "tail_groups", "tail_lengths",
    "tails", "items", "shared", "surplus",
)  # fmt: skip

_END = "end"

Codes = NDArray[np.uint16] | NDArray[np.uint32]


@dataclass(frozen=True)
class Walk:
    """Arrays over nodes, edges, leaves, tails and items.

    Attributes:
        alphabet: int32 [codes], the token of each code, ascending.
        first_edge: int32 [nodes + 1]; node n has the edges first_edge[n] up to, not including,
            first_edge[n + 1].
        first_branch: int32 [nodes + 1]; of these edges the first lead to the nodes
            first_branch[n] up to, not including, first_branch[n + 1]; the others to leaves.
        codes: uint16 or uint32 [edges], the token of each edge.
        leaves: uint8 [nodes], the number of leaves below; :data:`MANY` stands for more, too.
        tail_groups: int64 [leaves / 32, rounded up], where the tail of every 32nd leaf begins.
        tail_lengths: uint8 [leaves], tokens between the edge to the leaf and the end token.
        tails: as ``codes``, the tails of all leaves in order of leaf, without the end tokens.
        items: int32 [items], the numbers of the items, in order of leaf, then ascending.
        shared: int32 [leaves with several items], ascending.
        surplus: int64 [as shared], the items beyond one a leaf, up to and including that leaf.
        end: the token that ends every identifier.
    """

    alphabet: NDArray[np.int32]
    first_edge: NDArray[np.int32]
    first_branch: NDArray[np.int32]
    codes: Codes
    leaves: NDArray[np.uint8]
    tail_groups: NDArray[np.int64]
    tail_lengths: NDArray[np.uint8]
    tails: Codes
    items: NDArray[np.int32]
    shared: NDArray[np.int32]
    surplus: NDArray[np.int64]
    end: int

    @cached_property
    def nodes(self) -> int:
        return len(self.leaves)

    @property
    def identifiers(self) -> int:
        """Their number, which is that of the leaves."""
        return len(self.tail_lengths)

    @cached_property
    def levels(self) -> tuple[slice, ...]:
        """The nodes that lie 0, 1, 2, ... tokens deep."""
        levels, level = [], slice(0, 1)
        while level.start < level.stop:
            levels.append(level)
            level = slice(int(self.first_branch[level.start]), int(self.first_branch[level.stop]))
        return tuple(levels)

    @cached_property
    def fanouts(self) -> tuple[int, ...]:
        """The most edges of one node among those that lie 0, 1, 2, ... tokens deep."""
        edges = (self.first_edge[level.start : level.stop + 1] for level in self.levels)
        return tuple(int(np.diff(one).max()) for one in edges)

    @cached_property
    def depth(self) -> int:
        """At least the length of the longest identifier, in tokens, its end included."""
        return len(self.fanouts) + int(self.tail_lengths.max()) + 1

    def allowed(self, position: int) -> NDArray[np.int32]:
        """The tokens that may follow, int32 [tokens], ascending; none after the end token."""
        if position < ROOT:
            return self.alphabet[:0]
        if position >= self.nodes:
            tail = self.tail(position)
            return tail[:1] if len(tail) else np.array([self.end], dtype=np.int32)
        codes = self.codes[self.first_edge[position] : self.first_edge[position + 1]]
        return np.asarray(self.alphabet[np.sort(codes)])

    def edge(self, position: int, token: int) -> int | None:
        """The edge along which ``token`` leads; -1 in a tail, None where there is no such token."""
        if position < ROOT:
            return None
        if position >= self.nodes:
            return -1 if self.allowed(position)[0] == token else None
        code = int(self.alphabet.searchsorted(token))
        if code == len(self.alphabet) or self.alphabet[code] != token:
            return None
        first, stop = int(self.first_edge[position]), int(self.first_edge[position + 1])
        middle = first + int(self.first_branch[position + 1] - self.first_branch[position])
        for low, high in ((first, middle), (middle, stop)):
            edge = low + int(self.codes[low:high].searchsorted(code))
            if edge < high and self.codes[edge] == code:
                return edge
        return None

    def step(self, position: int, token: int) -> tuple[int, int] | None:
        """Where ``token`` leads: the position, and the leaf, -1 as long as several are possible.

        None where the walk has no such token there.
        """
        edge = self.edge(position, token)
        return None if edge is None else self.along(position, token, edge)

    def along(self, position: int, token: int, edge: int) -> tuple[int, int]:
        """As :meth:`step`, where the edge of ``token`` is known."""
        if edge < 0:
            leaf = (position - self.nodes) // TAIL
            return (DONE if token == self.end else position + 1), leaf
        branch, branches_end = self.first_branch[position : position + 2].tolist()
        inside = edge - int(self.first_edge[position])
        if inside < branches_end - branch:
            return branch + inside, -1
        # Of the edges up to this one, first_branch - 1 lead to nodes.
        leaf = edge - branches_end + 1
        return (DONE if token == self.end else self.nodes + TAIL * leaf), leaf

    def follow(self, tokens: Sequence[int], position: int = ROOT) -> tuple[int, int] | None:
        """As :meth:`step`, for one token after the other."""
        leaf = -1
        for token in tokens:
            following = self.step(position, token)
            if following is None:
                return None
            position, leaf = following
        return position, leaf

    def tail(self, position: int) -> NDArray[np.int32]:
        """What follows a position in a tail, int32 [tokens], without the end token."""
        leaf, spelled = divmod(position - self.nodes, TAIL)
        start = self.tail_start(leaf)
        codes = self.tails[start + spelled : start + int(self.tail_lengths[leaf])]
        return np.asarray(self.alphabet[codes])

    def tail_start(self, leaf: int) -> int:
        """Where the tail of a leaf begins."""
        first = leaf - leaf % GROUP
        before = self.tail_lengths[first:leaf].sum(dtype=np.int64)
        return int(self.tail_groups[leaf // GROUP] + before)

    def items_of(self, leaf: int) -> NDArray[np.int32]:
        """The numbers of the items that share the identifier of a leaf, ascending."""
        place = int(self.shared.searchsorted(leaf))
        before = int(self.surplus[place - 1]) if place else 0
        more = 0
        if place < len(self.shared) and self.shared[place] == leaf:
            more = int(self.surplus[place]) - before
        return self.items[leaf + before : leaf + before + 1 + more]

    def save(self, stem: Path) -> None:
        """Write one ``.npy`` file an array, named ``{stem}.{array}.npy``."""
        for name in _ARRAYS:
            np.save(f"{stem}.{name}.npy", getattr(self, name), allow_pickle=False)
        np.save(f"{stem}.{_END}.npy", np.array(self.end), allow_pickle=False)


def file_names(stem: str) -> list[str]:
    """The files that :meth:`Walk.save` writes."""
    return [f"{stem}.{name}.npy" for name in (*_ARRAYS, _END)]


def load_walk(stem: Path) -> Walk:
    """Map the arrays into memory. Raises :class:`BundleError` that names a file it cannot read."""
    arrays: dict[str, Any] = {}
    for name in (*_ARRAYS, _END):
        path = f"{stem}.{name}.npy"
        try:
            # Copy on write, because torch shares no memory that it may not write; nobody writes.
            arrays[name] = np.load(path, mmap_mode="c", allow_pickle=False).view(np.ndarray)
        except (OSError, ValueError, EOFError) as error:
            raise BundleError(f"{path} cannot be read ({error}); train the bundle again") from error
    return Walk(**{**arrays, _END: int(arrays[_END])})
