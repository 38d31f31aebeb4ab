"""Layers: several walks that are spelled as one, with what of them may be found.

The first layer is the walk of a bundle; a second one holds what was added since. Of a layer some
identifiers may be out of reach, since their items were deleted or do not pass a filter. A place in
all layers is one position each, :data:`semcore.trie.walk.ABSENT` in those that lack what was
spelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from semcore.trie.walk import ABSENT, ROOT, TAIL, Walk

Positions = tuple[int, ...]
"""One for each layer."""
Leaves = tuple[int, ...]
"""One for each layer: -1 where it has no such identifier, or several are possible yet."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Attributes:
    live: bool [edges of the walk], those that lead to an identifier that may be found; None: all.
    listed: the numbers of the items that may be found; None: all.
    """

    walk: Walk
    live: NDArray[np.bool_] | None = None
    listed: BitMap | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The tokens that must follow a place, as long as only one may, without the end token.

    Attributes:
        is_last: whether the end token must follow these.
    """

    tokens: tuple[int, ...]
    is_last: bool


class Layers:
    """Walks that end all identifiers with the same token; none of an index without a model."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)
        self.root: Positions = (ROOT,) * len(self._layers)
        self.end = self._layers[0].walk.end if self._layers else ABSENT

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers)

    @property
    def depth(self) -> int:
        """At least the length of the longest identifier, in tokens, its end included."""
        return max((layer.walk.depth for layer in self._layers), default=0)

    def allowed(self, positions: Positions) -> NDArray[np.int32]:
        """The tokens that may follow, int32 [tokens], ascending."""
        found = [
            _allowed(layer, position)
            for layer, position in zip(self._layers, positions, strict=True)
        ]
        return np.unique(np.concatenate(found))

    def step(self, positions: Positions, token: int) -> tuple[Positions, Leaves] | None:
        """Where ``token`` leads; None where it leads to nothing that may be found."""
        places, leaves = [], []
        for layer, position in zip(self._layers, positions, strict=True):
            place, leaf = _step(layer, position, token)
            places.append(place)
            leaves.append(leaf)
        if all(place == ABSENT for place in places):
            return None
        return tuple(places), tuple(leaves)

    def follow(
        self, tokens: Sequence[int], positions: Positions | None = None
    ) -> tuple[Positions, Leaves] | None:
        """As :meth:`step`, for one token after the other, from the root unless told otherwise."""
        places = self.root if positions is None else positions
        leaves: Leaves = (-1,) * len(places)
        for token in tokens:
            following = self.step(places, token)
            if following is None:
                return None
            places, leaves = following
        return places, leaves

    def run(self, positions: Positions) -> Run:
        """What must follow, whatever the model says: in all layers that hold what was spelled."""
        runs = [
            _run(layer, position)
            for layer, position in zip(self._layers, positions, strict=True)
            if position != ABSENT
        ]
        first, *others = runs
        if all(other == first for other in others):
            return first
        following = zip(*(run.tokens for run in runs), strict=False)
        shared = takewhile(lambda tokens: len(set(tokens)) == 1, following)
        return Run(tuple(tokens[0] for tokens in shared), is_last=False)

    def endings(self, positions: Positions, most: int) -> dict[tuple[int, ...], Leaves] | None:
        """All identifiers that go on from a place, by their other tokens; None if they are more
        than ``most``."""
        found: dict[tuple[int, ...], Leaves] = {}
        nowhere = (-1,) * len(positions)
        for place, (layer, position) in enumerate(zip(self._layers, positions, strict=True)):
            if position == ABSENT:
                continue
            for tokens, leaf in _endings(layer, position):
                if tokens not in found and len(found) == most:
                    return None
                leaves = found.get(tokens, nowhere)
                found[tokens] = (*leaves[:place], leaf, *leaves[place + 1 :])
        return found

    def items_of(self, leaves: Leaves) -> list[int]:
        """The numbers of the items that share an identifier and may be found, layer by layer;
        none for no leaves."""
        numbers: list[int] = []
        for layer, leaf in zip(self._layers, leaves, strict=bool(leaves)):
            if leaf >= 0:
                items = layer.walk.items_of(leaf).tolist()
                listed = layer.listed
                numbers += items if listed is None else [n for n in items if n in listed]
        return numbers


def live_edges(walk: Walk, listed: BitMap) -> NDArray[np.bool_]:
    """Which edges lead to an item that may be found, bool [edges].

    Args:
        listed: the numbers of the items that may be found.
    """
    found = _as_mask(listed, int(walk.items.max()) + 1 if len(walk.items) else 0)
    # 1. Leaves with such an item: the items of a leaf are neighbours.
    leaves = np.arange(walk.identifiers)
    starts = leaves.copy()
    if len(walk.shared):
        before = np.concatenate([[0], walk.surplus])
        starts += before[walk.shared.searchsorted(leaves)]
    live_leaves = np.logical_or.reduceat(found[walk.items], starts)
    # 2. The edges of a node lead to further nodes first, both numbered in order of edge.
    edges = len(walk.codes)
    turns = np.zeros(edges + 1, dtype=np.int8)
    turns[walk.first_edge[:-1]] += 1
    np.add.at(turns, walk.first_edge[:-1] + np.diff(walk.first_branch), -1)
    to_node = turns[:-1].cumsum(dtype=np.int8).astype(bool)
    live = np.empty(edges, dtype=bool)
    live[~to_node] = live_leaves
    # 3. Level by level from the deepest: a node lives if one of its edges does.
    branches = np.flatnonzero(to_node)
    for level in reversed(walk.levels[1:]):
        own = slice(int(walk.first_edge[level.start]), int(walk.first_edge[level.stop]))
        nodes = np.logical_or.reduceat(live[own], walk.first_edge[level] - own.start)
        live[branches[level.start - 1 : level.stop - 1]] = nodes
    return live


def bury(walk: Walk, live: NDArray[np.bool_], tokens: Sequence[int]) -> None:
    """Mark the edges that lead to one identifier and to nothing else in reach, in place.

    Args:
        live: bool [edges], as of :func:`live_edges`.
        tokens: of the identifier.
    """
    path: list[tuple[int, int]] = []
    position = ROOT
    for token in tokens:
        edge = walk.edge(position, token)
        if edge is None or edge < 0:
            break
        path.append((position, edge))
        position, _ = walk.along(position, token, edge)
    for node, edge in reversed(path):
        live[edge] = False
        if live[walk.first_edge[node] : walk.first_edge[node + 1]].any():
            return


def _as_mask(numbers: BitMap, count: int) -> NDArray[np.bool_]:
    mask = np.zeros(count, dtype=bool)
    mask[np.frombuffer((numbers & BitMap(range(count))).to_array(), dtype=np.uint32)] = True
    return mask


def _allowed(layer: Layer, position: int) -> NDArray[np.int32]:
    tokens = layer.walk.allowed(position)
    if layer.live is None:
        return tokens
    return tokens[[_step(layer, position, token)[0] != ABSENT for token in tokens.tolist()]]


def _run(layer: Layer, position: int) -> Run:
    walk = layer.walk
    tokens: list[int] = []
    while position < walk.nodes:
        edges = _edges(layer, position)
        if len(edges) != 1:
            return Run(tuple(tokens), is_last=False)
        token = int(walk.alphabet[walk.codes[edges[0]]])
        if token == walk.end:
            return Run(tuple(tokens), is_last=True)
        tokens.append(token)
        position, _ = walk.along(position, token, int(edges[0]))
    return Run((*tokens, *walk.tail(position).tolist()), is_last=True)


def _endings(layer: Layer, position: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Of each identifier its other tokens, and its leaf."""
    walk = layer.walk
    under_way: list[tuple[tuple[int, ...], int]] = [((), position)]
    while under_way:
        tokens, position = under_way.pop()
        if position >= walk.nodes:
            yield (
                (*tokens, *walk.tail(position).tolist(), walk.end),
                (position - walk.nodes) // TAIL,
            )
            continue
        for edge in _edges(layer, position).tolist():
            token = int(walk.alphabet[walk.codes[edge]])
            following, leaf = walk.along(position, token, edge)
            if token == walk.end:
                yield (*tokens, token), leaf
            else:
                under_way.append(((*tokens, token), following))


def _edges(layer: Layer, node: int) -> NDArray[np.int64]:
    """Those of a node that lead to something that may be found."""
    first, stop = layer.walk.first_edge[node : node + 2].tolist()
    edges = np.arange(first, stop)
    return edges if layer.live is None else edges[layer.live[first:stop]]


def _step(layer: Layer, position: int, token: int) -> tuple[int, int]:
    edge = layer.walk.edge(position, token)
    is_dead = layer.live is not None and edge is not None and edge >= 0 and not layer.live[edge]
    if edge is None or is_dead:
        return ABSENT, -1
    return layer.walk.along(position, token, edge)
