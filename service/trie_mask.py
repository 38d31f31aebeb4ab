"""The mask: which tokens a walk allows after each position of a batch, as tensor operations.

One gather over all rows, with no loop over them; and on a GPU no wait for the device, because the
host knows a bound for the number of pairs. The arrays are those of :class:`semcore.walk.Walk`, on
whatever device the logits are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcore.walk import GROUP, TAIL, Walk

_CODE_MASKS = {torch.int16: 0xFFFF, torch.int32: 0x7FFFFFFF}


@dataclass(frozen=True, slots=True)
class WalkTensors:
    """A walk's arrays on a device; on the CPU they share the mapped files' memory.

    ``codes`` and ``tails`` are int16 or int32, since torch gathers no unsigned numbers.
    """

    alphabet: Tensor
    first_edge: Tensor
    first_branch: Tensor
    codes: Tensor
    tail_groups: Tensor
    tail_lengths: Tensor
    tails: Tensor
    nodes: int
    identifiers: int
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
            nodes=walk.nodes,
            identifiers=walk.identifiers,
            end=walk.end,
            fanouts=walk.fanouts,
        )

    def bound(self, level: int) -> int:
        """The most tokens that can follow a beginning of ``level`` tokens."""
        return self.fanouts[level] if level < len(self.fanouts) else 1


@dataclass(frozen=True, slots=True)
class Allowed:
    """Pairs of a row and a token that may follow it, in order of row.

    Attributes:
        rows: int64 [pairs].
        tokens: int64 [pairs].
        edges: int64 [pairs], the edge that the token leads along; meaningless in a tail.
    """

    rows: Tensor
    tokens: Tensor
    edges: Tensor


def allowed_pairs(walk: WalkTensors, positions: Tensor, most: int | None = None) -> Allowed:
    """All pairs of a batch.

    Args:
        positions: int64 [batch], positions of the walk before its end.
        most: a bound for the number of pairs; up to there the last pair is repeated. Without it
            the number is read from the device.
    """
    # 1. How many tokens may follow each row: all edges of a node, or the one token of a tail.
    at_node = positions < walk.nodes
    node = positions.where(at_node, 0)
    first = walk.first_edge[node].long()
    counts = torch.where(at_node, walk.first_edge[node + 1] - first, 1)
    ends = counts.cumsum(0)
    # 2. Number all pairs; which row is each of, and which of the row's is it?
    if most is None:
        rows = torch.repeat_interleave(counts)
        inside = torch.arange(len(rows)) - (ends - counts)[rows]
    else:
        numbers = torch.arange(most, device=positions.device).minimum(ends[-1] - 1)
        rows = torch.searchsorted(ends, numbers, right=True)
        inside = numbers - (ends - counts)[rows]
    edges = first[rows] + inside
    # 3. Tokens of edges, then those of tails in their place.
    tokens = walk.alphabet[_codes(walk.codes, edges)].long()
    tokens = torch.where(at_node[rows], tokens, _tail_tokens(walk, positions, at_node)[rows])
    return Allowed(rows, tokens, edges)


def mask_logits(
    logits: Tensor,
    rows: Tensor,
    walk: WalkTensors,
    positions: Tensor,
    most: int | None = None,
) -> Tensor:
    """Log-probabilities in place of logits, -inf where the walk allows no token.

    The softmax is over everything: the score is the model's, never renormalised over what the walk
    allows. The likeliest allowed token is raised by the least step of float32, so that whoever
    takes the highest, takes this one, ties or not.

    Args:
        logits: float32 [batch, vocabulary]; changed in place.
        rows: int64 [rows], those to be changed.
        positions: int64 [rows], where they stand.
        most: see :func:`allowed_pairs`.

    Returns:
        int64 [rows], where each row stands after its likeliest token; meaningless if that is the
        end token.
    """
    allowed = allowed_pairs(walk, positions, most)
    # 1. Scores of the allowed tokens.
    total = logits[rows].logsumexp(dim=-1)
    at = rows[allowed.rows]
    logprobs = logits[at, allowed.tokens] - total[allowed.rows]
    # 2. The likeliest of each row; of equal ones that with the first edge.
    highest = torch.full_like(total, -torch.inf)
    highest.scatter_reduce_(0, allowed.rows, logprobs, "amax")
    none = torch.iinfo(torch.int64).max
    edge = torch.full_like(positions, none)
    is_highest = logprobs == highest[allowed.rows]
    edge.scatter_reduce_(0, allowed.rows, allowed.edges.where(is_highest, none), "amin")
    is_chosen = is_highest & (allowed.edges == edge[allowed.rows])
    logprobs = logprobs.nextafter(torch.where(is_chosen, torch.inf, logprobs))
    # 3. Put them in place of everything.
    logits[rows] = -torch.inf
    logits[at, allowed.tokens] = logprobs
    return _after(walk, positions, edge.clamp(max=len(walk.codes) - 1))


def _after(walk: WalkTensors, positions: Tensor, edges: Tensor) -> Tensor:
    """Where an edge leads from a node; from a tail, one token on."""
    at_node = positions < walk.nodes
    node = positions.where(at_node, 0)
    branch, branches_end = walk.first_branch[node], walk.first_branch[node + 1]
    inside = edges - walk.first_edge[node]
    leaf = edges - branches_end + 1
    following = torch.where(
        inside < branches_end - branch, branch + inside, walk.nodes + TAIL * leaf
    )
    return torch.where(at_node, following, positions + 1)


def _tail_tokens(walk: WalkTensors, positions: Tensor, at_node: Tensor) -> Tensor:
    """The token that follows in a tail, int64 [batch]; anything for a node."""
    place = (positions - walk.nodes).where(~at_node, 0)
    leaf, spelled = place // TAIL, place % TAIL
    group = leaf // GROUP
    members = group[:, None] * GROUP + torch.arange(GROUP, device=positions.device)
    lengths = walk.tail_lengths[members.clamp(max=walk.identifiers - 1)].long()
    before = lengths.where(members < leaf[:, None], 0).sum(dim=1)
    at = (walk.tail_groups[group] + before + spelled).clamp(max=len(walk.tails) - 1)
    tokens = walk.alphabet[_codes(walk.tails, at)].long()
    return tokens.where(spelled < walk.tail_lengths[leaf], walk.end)


def _codes(codes: Tensor, places: Tensor) -> Tensor:
    return codes[places].long() & _CODE_MASKS[codes.dtype]
