"""The logits processor that lets only existing identifiers be spelled.

Each request brings, in ``extra_args["semcore"]``, the walk and the node that its next token must
follow. The processor takes the log-softmax over the whole vocabulary first and masks after, so the
values that the engine returns under ``logprobs_mode="processed_logits"`` are the model's own
log-probabilities, never renormalised over the allowed tokens.

vLLM has two model runners with different interfaces for processors; both are served here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates
from vllm.v1.worker.gpu.sample.logits_processor.interface import (
    LogitsContext,
    LogitsProcRequestState,
)
from vllm.v1.worker.gpu.sample.logits_processor.interface import (
    LogitsProcessor as LogitsProcessorV2,
)

from semcore.walk import ROOT, Walk, load_walk

if TYPE_CHECKING:
    from vllm.config import VllmConfig

ARGUMENT = "semcore"
_WALKS_KEPT = 8


@dataclass(frozen=True, slots=True)
class NodePosition:
    """The next token must be a child of ``node`` of the walk ``stem``; any token if it is ""."""

    stem: str
    node: int


@dataclass(frozen=True, slots=True)
class ChoicePosition:
    """The next token must be one of ``tokens``."""

    tokens: tuple[int, ...]


Position = NodePosition | ChoicePosition


def position_argument(walk: Path | None, node: int = ROOT) -> dict[str, Any]:
    """``extra_args`` of a request whose next token must be a child of ``node``.

    ``walk`` is the stem of the walk's files; None leaves all tokens allowed, and only turns logits
    into log-probabilities.
    """
    return {ARGUMENT: {"stem": str(walk or ""), "node": node}}


def choice_argument(tokens: Sequence[int]) -> dict[str, Any]:
    """``extra_args`` of a request whose next token must be one of ``tokens``."""
    return {ARGUMENT: {"tokens": list(tokens)}}


def mask_logits(logits: Tensor, positions: Mapping[int, Position]) -> Tensor:
    """Log-probabilities in place of logits, -inf where the walk has no child.

    Args:
        logits: float [rows, vocabulary]; changed in place.
        positions: of each row to be changed the walk and node, or the allowed tokens.
    """
    if not positions:
        return logits
    rows = list(positions)
    # 1. Softmax over everything: the score is the model's, not the mask's.
    logprobs = torch.log_softmax(logits[rows].float(), dim=-1)
    # 2. Coordinates of all allowed (row, token) pairs of the batch, one gather a walk.
    free, at_rows, at_tokens = _pairs(list(positions.values()))
    # 3. One scatter.
    masked = torch.full_like(logprobs, -torch.inf)
    row = torch.from_numpy(at_rows).to(logits.device, non_blocking=True)
    token = torch.from_numpy(at_tokens).to(logits.device, non_blocking=True)
    masked[row, token] = logprobs[row, token]
    if free:
        masked[free] = logprobs[free]
    logits[rows] = masked.to(logits.dtype)
    return logits


class TrieLogitsProcessor(LogitsProcessor):  # type: ignore[misc]
    """For model runner V1 (all CPU builds)."""

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._positions: dict[int, Position] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        process_dict_updates(self._positions, batch_update, lambda params, *_: _position(params))

    def apply(self, logits: Tensor) -> Tensor:
        return mask_logits(logits, self._positions)


class TrieLogitsProcessorV2(LogitsProcessorV2):  # type: ignore[misc]
    """For model runner V2 (the default on GPU)."""

    def __init__(self, vllm_config: VllmConfig, req_states: LogitsProcRequestState) -> None:
        self._positions: dict[int, Position] = {}

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        self._positions.pop(req_idx, None)
        position = _position(sampling_params)
        if position is not None:
            self._positions[req_idx] = position
        return position is not None

    def apply(self, logits: Tensor, ctx: LogitsContext) -> Tensor:
        # Each request asks for one token without drafts, hence has one row, in batch order.
        slots = ctx.idx_mapping_np.tolist()
        present = {
            row: self._positions[slot] for row, slot in enumerate(slots) if slot in self._positions
        }
        return mask_logits(logits, present)


def _position(params: SamplingParams) -> Position | None:
    argument = (params.extra_args or {}).get(ARGUMENT)
    if argument is None:
        return None
    if "tokens" in argument:
        return ChoicePosition(tuple(argument["tokens"]))
    return NodePosition(argument["stem"], argument["node"])


def _pairs(
    positions: Sequence[Position],
) -> tuple[list[int], NDArray[np.int64], NDArray[np.int64]]:
    """Places where all tokens are allowed; and row and token, int64 [pairs], of all others."""
    free: list[int] = []
    rows, tokens = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    at_walk: dict[str, tuple[list[int], list[int]]] = {}
    for place, position in enumerate(positions):
        if isinstance(position, ChoicePosition):
            rows.append(np.full(len(position.tokens), place))
            tokens.append(np.array(position.tokens))
        elif position.stem:
            places, nodes = at_walk.setdefault(position.stem, ([], []))
            places.append(place)
            nodes.append(position.node)
        else:
            free.append(place)
    for stem, (places, nodes) in at_walk.items():
        row, token = _walk(stem).allowed_of(np.array(nodes))
        rows.append(np.array(places)[row])
        tokens.append(token.astype(np.int64))
    return free, np.concatenate(rows), np.concatenate(tokens)


@lru_cache(maxsize=_WALKS_KEPT)
def _walk(stem: str) -> Walk:
    return load_walk(Path(stem))
