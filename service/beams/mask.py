"""The mask: which tokens walks allow after each place of a batch, as tensor operations.

One gather over all rows, with no Python loop over them; and on a GPU no wait for the device,
because the host knows a bound for the number of pairs. The arrays are those of
:class:`semcore.trie.walk.Walk`, on whatever device the logits are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcore.trie.walk import ABSENT, GROUP, TAIL, Walk
from service.beams.mask_cpu import list_pairs

_TAIL_BITS = TAIL.bit_length() - 1
_GROUP_BITS = GROUP.bit_length() - 1
_CODE_MASKS = {torch.int16: 0xFFFF, torch.int32: 0x7FFFFFFF}


@dataclass(frozen=True, slots=True, weakref_slot=True)
class WalkTensors:
    """A walk's arrays on a device; on the CPU they share the mapped files' memory.

    ``codes`` and ``tails`` are int16 or int32, since torch gathers no unsigned numbers;
    ``members`` counts the leaves of a group, ``last`` is the last leaf, ``host`` the walk itself.
    """

    alphabet: Tensor
    first_edge: Tensor
    first_branch: Tensor
    codes: Tensor
    tail_groups: Tensor
    tail_lengths: Tensor
    tails: Tensor
    members: Tensor
    host: Walk
    nodes: int
    last: int
    end: int
    fanouts: tuple[int, ...]

    @classmethod
    def of(cls, walk: Walk, device: torch.device) -> WalkTensors:
        signed = {np.dtype(np.uint16): np.int16, np.dtype(np.uint32): np.int32}[walk.codes.dtype]
        tails = walk.tails if len(walk.tails) else np.zeros(1, walk.tails.dtype)

        def tensor(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(device)

        return cls(
            alphabet=tensor(walk.alphabet),
            first_edge=tensor(walk.first_edge),
            first_branch=tensor(walk.first_branch),
            codes=tensor(walk.codes.view(signed)),
            tail_groups=tensor(walk.tail_groups),
            tail_lengths=tensor(walk.tail_lengths),
            tails=tensor(tails.view(signed)),
            members=torch.arange(GROUP, device=device),
            host=walk,
            nodes=walk.nodes,
            last=walk.identifiers - 1,
            end=walk.end,
            fanouts=walk.fanouts,
        )

    def bound(self, level: int) -> int:
        """The most tokens that can follow a beginning of ``level`` tokens."""
        return self.fanouts[level] if level < len(self.fanouts) else 1


@dataclass(frozen=True, slots=True)
class MaskLayer:
    """A walk, the edges of it that may be taken, bool [edges], None for all, and a bound for the
    number of pairs, as :func:`allowed_pairs` takes it."""

    walk: WalkTensors
    live: Tensor | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Pairs of a row and a token that may follow it, in order of row.

    Attributes:
        rows: int64 [pairs].
        tokens: int32 [pairs].
        edges: int64 [pairs], the edge that the token leads along; meaningless in a tail.
    """

    rows: Tensor
    tokens: Tensor
    edges: Tensor


def allowed_pairs(walk: WalkTensors, positions: Tensor, most: int | None = None) -> Allowed:
    """All pairs of a batch.

    Args:
        positions: int64 [batch], positions of the walk before its end; ABSENT has no pairs.
        most: a bound for the number of pairs; up to there the last pair is repeated, or one that
            means nothing if there is none at all. It may be left out on the CPU, where the number
            costs nothing to know.
    """
    if most is None:
        listed = list_pairs(walk.host, positions.numpy())
        return Allowed(*(torch.from_numpy(array) for array in listed))
    # 1. How many tokens may follow each row: all edges of a node, or the one token of a tail.
    at_node = positions < walk.nodes
    first, stop = _pair(walk.first_edge, _node(positions, at_node))
    counts = torch.where(at_node, stop - first, 1).where(positions != ABSENT, 0)
    ends = counts.cumsum(0)
    # 2. Number all pairs; a row's edges are neighbours, so they are shifted together.
    numbers = torch.arange(most, device=positions.device).minimum(ends[-1] - 1)
    rows = torch.searchsorted(ends, numbers, right=True)
    edges = ((first - ends + counts)[rows] + numbers).clamp(min=0)
    # 3. Tokens of edges, then those of tails in their place.
    tokens = torch.where(
        at_node[rows],
        walk.alphabet[_codes(walk.codes, edges)],
        _tail_tokens(walk, positions, at_node)[rows],
    )
    return Allowed(rows, tokens, edges)


def mask_logits(
    logits: Tensor, rows: Tensor, layers: Sequence[MaskLayer], positions: Tensor
) -> Tensor:
    """Log-probabilities in place of logits, -inf where no layer allows a token.

    The softmax is over everything: the score is the model's, never renormalised over what is
    allowed. The likeliest allowed token is raised by the least step of float32, so that whoever
    takes the highest, takes this one, ties or not.

    Args:
        logits: float32 [batch, vocabulary]; changed in place.
        rows: int64 [rows], those to be changed.
        positions: int64 [rows, layers], where they stand.

    Returns:
        int64 [rows, layers], where each row stands after its likeliest token; meaningless if that
        is the end token.
    """
    total = logits[rows].logsumexp(dim=-1)
    found = [
        _scored(logits, rows, total, layer, positions[:, place])
        for place, layer in enumerate(layers)
    ]
    # 1. The likeliest token of each row; of equal ones the first.
    highest = torch.full_like(total, -torch.inf)
    for allowed, logprobs in found:
        highest.scatter_reduce_(0, allowed.rows, logprobs, "amax")
    none = torch.iinfo(torch.int64).max
    token = torch.full_like(rows, none)
    for allowed, logprobs in found:
        tokens = allowed.tokens.long().where(logprobs == highest[allowed.rows], none)
        token.scatter_reduce_(0, allowed.rows, tokens, "amin")
    # 2. The scores in place of everything; a token that several layers allow has the same in each.
    logits[rows] = -torch.inf
    flat = logits.view(-1)
    following = torch.full_like(positions, ABSENT)
    for place, (layer, (allowed, logprobs)) in enumerate(zip(layers, found, strict=True)):
        is_chosen = (allowed.tokens == token[allowed.rows]) & logprobs.isfinite()
        logprobs = logprobs.nextafter(torch.where(is_chosen, torch.inf, logprobs))
        at = rows[allowed.rows] * logits.shape[1] + allowed.tokens
        flat.scatter_reduce_(0, at, logprobs, "amax")
        # 3. Where the likeliest token leads.
        edge = torch.full_like(rows, none)
        edge.scatter_reduce_(0, allowed.rows, allowed.edges.where(is_chosen, none), "amin")
        after = _after(layer.walk, positions[:, place], edge.clamp(max=len(layer.walk.codes) - 1))
        following[:, place] = after.where(edge != none, ABSENT)
    return following


def _scored(
    logits: Tensor, rows: Tensor, total: Tensor, layer: MaskLayer, positions: Tensor
) -> tuple[Allowed, Tensor]:
    """The pairs of a layer and their log-probabilities, -inf for those that lead to nothing."""
    walk = layer.walk
    allowed = allowed_pairs(walk, positions, layer.most)
    logprobs = logits[rows[allowed.rows], allowed.tokens] - total[allowed.rows]
    at = positions[allowed.rows]
    if layer.live is not None:
        lives = layer.live[allowed.edges.clamp(max=len(walk.codes) - 1)] | (at >= walk.nodes)
        logprobs = logprobs.where(lives, -torch.inf)
    if layer.most is not None:
        logprobs = logprobs.where(at != ABSENT, -torch.inf)
    return allowed, logprobs


def _after(walk: WalkTensors, positions: Tensor, edges: Tensor) -> Tensor:
    """Where an edge leads from a node; from a tail, one token on."""
    at_node = positions < walk.nodes
    node = _node(positions, at_node)
    branch, branches_end = _pair(walk.first_branch, node)
    inside = edges - walk.first_edge[node]
    leaf = edges - branches_end + 1
    following = torch.where(
        inside < branches_end - branch, branch + inside, walk.nodes + TAIL * leaf
    )
    return torch.where(at_node, following, positions + 1)


def _tail_tokens(walk: WalkTensors, positions: Tensor, at_node: Tensor) -> Tensor:
    """The token that follows in a tail, int64 [batch]; anything for a node."""
    place = (positions - walk.nodes).where(~at_node, 0)
    leaf, spelled = place >> _TAIL_BITS, place & (TAIL - 1)
    group = leaf >> _GROUP_BITS
    # The lengths of the group's tails up to this one; beyond the last leaf, the last one again.
    lengths = walk.tail_lengths[(group[:, None] * GROUP + walk.members).clamp_(max=walk.last)]
    before = (lengths * (walk.members < (leaf & (GROUP - 1))[:, None])).sum(dim=1)
    at = (walk.tail_groups[group] + before).add_(spelled).clamp_(max=len(walk.tails) - 1)
    tokens = walk.alphabet[_codes(walk.tails, at)]
    return tokens.where(spelled < walk.tail_lengths[leaf], walk.end)


def _node(positions: Tensor, at_node: Tensor) -> Tensor:
    """The node of each position, the root for a tail or where there is none."""
    return positions.where(at_node, 0).clamp(min=0)


def _pair(array: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """The element at each place and the one after it, int64."""
    pairs = array.as_strided((len(array) - 1, 2), (1, 1))[places].long()
    return pairs[:, 0], pairs[:, 1]


def _codes(codes: Tensor, places: Tensor) -> Tensor:
    return codes[places].int().bitwise_and_(_CODE_MASKS[codes.dtype])
