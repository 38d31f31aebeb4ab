"""The logits processors that let vLLM spell existing identifiers only.

Each request brings, in ``extra_args["semcore"]``, where its next token stands: the files of some
layers and a position in each. From then on the processor follows the request token by token, on the
device, in arrays over all requests of the batch. Under ``logprobs_mode="processed_logits"`` the
values that the engine returns are the model's own log-probabilities (see
:mod:`service.beams.mask`).

vLLM has two model runners with different interfaces for processors; both are served here.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality
from vllm.v1.worker.gpu.sample.logits_processor.interface import (
    LogitsContext,
    LogitsProcRequestState,
)
from vllm.v1.worker.gpu.sample.logits_processor.interface import (
    LogitsProcessor as LogitsProcessorV2,
)

from semcore.errors import BundleError
from semcore.trie.layers import Layer, Positions
from semcore.trie.walk import ABSENT, ROOT
from service.beams.layer_files import MOST_LAYERS, LayerFiles, are_gone, open_layers
from service.beams.mask import MaskLayer, WalkTensors, mask_logits

if TYPE_CHECKING:
    from vllm.config import VllmConfig

ARGUMENT = "semcore"
_KEPT = 16
_log = logging.getLogger("semcore")
_OTHER, _FREE, _WALK, _GONE = range(4)


def position_argument(
    files: LayerFiles, positions: Positions | None = None, level: int = 0
) -> dict[str, Any]:
    """``extra_args`` of a request that stands ``level`` tokens deep at a place in some layers.

    Without ``files`` all tokens are allowed, and logits are only turned into log-probabilities.
    ``positions``: the root unless told otherwise.
    """
    places = list(positions) if positions is not None else [ROOT] * len(files)
    return {ARGUMENT: {"files": files, "positions": places, "level": level}}


@dataclass(slots=True)
class MaskClock:
    """How long the masks of the last step took, for a scheduler in the same process."""

    seconds: float = 0.0
    _running: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._running += time.perf_counter() - began

    def read(self) -> None:
        """What was added since the last reading becomes the last step's."""
        self.seconds, self._running = self._running, 0.0


mask_clock = MaskClock()


class Slots:
    """Where the requests of a batch stand, in arrays over the slots that vLLM gives them."""

    def __init__(self, slots: int, device: torch.device) -> None:
        self._device = device
        self._kinds = np.full(slots, _OTHER, dtype=np.int8)
        self._walks = np.zeros(slots, dtype=np.int64)
        self._levels = np.zeros(slots, dtype=np.int64)
        shape = (slots, MOST_LAYERS)
        self._positions = torch.full(shape, ABSENT, dtype=torch.int64, device=device)
        self._following = torch.full(shape, ABSENT, dtype=torch.int64, device=device)
        self._open: OrderedDict[LayerFiles, tuple[int, list[MaskLayer]]] = OrderedDict()
        self._opened = 0
        self._tensors: WeakValueDictionary[int, WalkTensors] = WeakValueDictionary()

    def put(self, slot: int, params: SamplingParams, spelled: Sequence[int] = ()) -> bool:
        """A request takes a slot, having ``spelled`` tokens since its argument was made.

        Returns whether it is one of ours.
        """
        argument: dict[str, Any] | None = (params.extra_args or {}).get(ARGUMENT)
        kind = _OTHER
        self._kinds[slot] = _OTHER  # whoever was there before uses no layers any more
        if argument is not None:
            kind = self._walk(slot, argument, spelled) if argument["files"] else _FREE
        self._kinds[slot] = kind
        return kind != _OTHER

    def remove(self, slot: int) -> None:
        self._kinds[slot] = _OTHER

    def move(self, source: int, target: int, *, swap: bool) -> None:
        """A request changes its slot; with ``swap`` the two change places."""
        for array in (self._kinds, self._walks, self._levels, self._positions):
            before = array[target].clone() if isinstance(array, Tensor) else copy(array[target])
            array[target] = array[source]
            if swap:
                array[source] = before
        if not swap:
            self._kinds[source] = _OTHER

    def advance(self, slots: NDArray[np.int64]) -> None:
        """The requests of these slots have spelled their likeliest token."""
        self._levels[slots] += 1
        slots = slots[self._kinds[slots] == _WALK]
        if len(slots):
            at = self._index(slots)
            self._positions[at] = self._following[at]

    def mask(self, logits: Tensor, slots: NDArray[np.int64]) -> Tensor:
        """Mask each row of ``logits``, float32 [rows, vocabulary], as the request in its slot
        asks; in place. All of a row whose walk is gone is forbidden."""
        kinds = self._kinds[slots]
        if not kinds.any():
            return logits
        free = np.flatnonzero(kinds == _FREE)
        if len(free):
            rows = self._index(free)
            logits[rows] = logits[rows].log_softmax(dim=-1)
        gone = np.flatnonzero(kinds == _GONE)
        if len(gone):
            logits[self._index(gone)] = -torch.inf
        walking = np.flatnonzero(kinds == _WALK)
        numbers = self._walks[slots[walking]]
        for number, layers in self._open.values():
            mine = walking[numbers == number]
            if not len(mine):
                continue
            rows, at = self._index(mine), self._index(slots[mine])
            if self._device.type != "cpu":
                levels = np.unique(self._levels[slots[mine]], return_counts=True)
                layers = [replace(layer, most=_bound(layer.walk, *levels)) for layer in layers]
            positions = self._positions[at, : len(layers)]
            self._following[at, : len(layers)] = mask_logits(logits, rows, layers, positions)
        return logits

    def _walk(self, slot: int, argument: Mapping[str, Any], spelled: Sequence[int]) -> int:
        """Stand where the argument says, and what was spelled since; the kind of the request."""
        files = tuple((stem, live) for stem, live in argument["files"])
        try:
            self._walks[slot] = self._number(files)
        except BundleError as error:
            # Retired with whoever asked, as a rule; an error here would end the engine.
            _log.warning("a search cannot go on: %s", error)
            return _GONE
        self._levels[slot] = argument["level"] + len(spelled)
        positions = tuple(argument["positions"])
        if spelled:
            followed = open_layers(files).follow(spelled, positions)
            assert followed is not None, "the engine spelled a token that the walk forbids"
            positions = followed[0]
        for place in range(MOST_LAYERS):  # number by number, for which no device waits
            self._positions[slot, place] = positions[place] if place < len(files) else ABSENT
        return _WALK

    def _number(self, files: LayerFiles) -> int:
        """That of these layers, which are opened if they are not, in place of the least used."""
        if files in self._open:
            self._open.move_to_end(files)
            return self._open[files][0]
        used = set(self._walks[self._kinds == _WALK].tolist())
        unused = [name for name, (number, _) in self._open.items() if number not in used]
        surplus = max(0, len(self._open) - _KEPT + 1)
        for place, name in enumerate(unused):
            if place < surplus or are_gone(name):
                del self._open[name]
        self._opened += 1
        self._open[files] = (self._opened, [self._layer(one) for one in open_layers(files)])
        return self._opened

    def _layer(self, layer: Layer) -> MaskLayer:
        """On the device; layers that differ in what may be found share their walk."""
        tensors = self._tensors.get(id(layer.walk))
        if tensors is None:
            tensors = self._tensors[id(layer.walk)] = WalkTensors.of(layer.walk, self._device)
        live = None if layer.live is None else torch.from_numpy(layer.live).to(self._device)
        return MaskLayer(tensors, live)

    def _index(self, values: NDArray[np.int64]) -> Tensor:
        host = torch.from_numpy(values)
        if self._device.type == "cpu":
            return host
        return host.pin_memory().to(self._device, non_blocking=True)


def _bound(walk: WalkTensors, levels: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
    """The most pairs that so many rows at each level can have."""
    return int(sum(n * walk.bound(level) for level, n in zip(levels.tolist(), counts, strict=True)))


class TrieLogitsProcessor(LogitsProcessor):  # type: ignore[misc]
    """For model runner V1 (all CPU builds), whose slots are the rows of the batch."""

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._slots = Slots(vllm_config.scheduler_config.max_num_seqs, device)
        self._masked = 0
        # Prompts may be computed in parts, of which only the last one brings forth a token: of
        # each request that has brought forth none since it came its tokens, and how many it had.
        self._silent: dict[int, tuple[list[int], int]] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        silent = {s: kept for s, kept in self._silent.items() if len(kept[0]) == kept[1]}
        spoke = np.ones(self._masked, dtype=bool)
        spoke[[slot for slot in silent if slot < self._masked]] = False
        self._slots.advance(np.flatnonzero(spoke))
        self._silent, self._masked = silent, 0
        if batch_update is None:
            return
        for slot in batch_update.removed:
            self._slots.remove(slot)
            self._silent.pop(slot, None)
        for slot, params, _, tokens in batch_update.added:
            self._silent.pop(slot, None)
            if self._slots.put(slot, params, tokens):
                self._silent[slot] = (tokens, len(tokens))
        for source, target, direction in batch_update.moved:
            swap = direction == MoveDirectionality.SWAP
            self._slots.move(source, target, swap=swap)
            moved, replaced = self._silent.pop(source, None), self._silent.pop(target, None)
            if moved is not None:
                self._silent[target] = moved
            if swap and replaced is not None:
                self._silent[source] = replaced

    def apply(self, logits: Tensor) -> Tensor:
        self._masked = len(logits)
        with mask_clock.running():
            return self._slots.mask(logits, np.arange(len(logits)))


class TrieLogitsProcessorV2(LogitsProcessorV2):  # type: ignore[misc]
    """For model runner V2 (the default on GPU), whose slots outlive the rows of a batch."""

    def __init__(self, vllm_config: VllmConfig, req_states: LogitsProcRequestState) -> None:
        self._slots = Slots(req_states.max_num_reqs, req_states.device)
        self._prefilled = req_states.prefill_len
        self._spoke = np.zeros(req_states.max_num_reqs, dtype=bool)

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        self._spoke[req_idx] = False
        return self._slots.put(req_idx, sampling_params)

    def apply(self, logits: Tensor, ctx: LogitsContext) -> Tensor:
        # Without drafts each request has one row, in batch order.
        slots = ctx.idx_mapping_np.astype(np.int64)
        self._slots.advance(slots[self._spoke[slots]])
        seen = ctx.seq_lens_upper_bound_np[: len(slots)]  # longer: padded to a captured graph's
        self._spoke[slots] = seen >= self._prefilled.np[slots]
        with mask_clock.running():
            return self._slots.mask(logits, slots)
