"""Requests that the schedulers make of a client's: rows of its search, answers that it weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vllm import SamplingParams
from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, FinishReason
from vllm.v1.request import Request

from service.beams.logits_processor import ARGUMENT

ROWS = -1
"""The client that rows are said to belong to: none, so their outputs stay in the scheduler."""


def argument_of(request: Request) -> dict[str, Any]:
    """What a request asks of these schedulers; empty if nothing."""
    params = request.sampling_params
    arguments: dict[str, Any] = (params.extra_args or {}) if params else {}
    found: dict[str, Any] = arguments.get(ARGUMENT, {})
    return found


def row_request(
    root: Request,
    name: str,
    spelled: Sequence[int],
    params: SamplingParams,
    parent: Request | None = None,
    part: tuple[int, int] | None = None,
) -> Request:
    """A request of these schedulers' own, which goes on from a client's.

    Args:
        spelled: tokens behind the client's prompt.
        parent: another row, whose beginning it shares; its hashes are not computed again.
        part: where the prompt begins and ends in the client's, unless it is all of it.
    """
    begin, end = part or (0, root.num_prompt_tokens)
    request = Request(
        request_id=name,
        prompt_token_ids=[*root.prompt_token_ids[begin:end], *spelled],
        sampling_params=params,
        pooling_params=None,
        client_index=ROWS,
        arrival_time=root.arrival_time,
        mm_features=parent.mm_features if parent else _features(root, begin, end),
        lora_request=root.lora_request,
        cache_salt=root.cache_salt,
        priority=root.priority,
        block_hasher=None if parent else root._block_hasher,
    )
    if parent is not None:
        request.block_hashes = list(parent.block_hashes)
        request._block_hasher = root._block_hasher
        request.update_block_hashes()
    return request


def ask_logprobs(params: SamplingParams, begin: int, choices: Sequence[Sequence[int]]) -> None:
    """Have a request tell the log-probabilities of what may stand in its prompt from ``begin`` on.

    Args:
        choices: of each place, as many for each.
    """
    if not choices:
        return
    params.prompt_logprob_start = begin - 1
    params.prompt_logprob_token_ids = np.array(choices, dtype=np.int32)
    params.skip_reading_prefix_cache = False


def told_logprobs(output: EngineCoreOutput) -> NDArray[np.float32] | None:
    """What :func:`ask_logprobs` asked for, float32 [places, choices]; None if the engine cannot
    tell."""
    scores = output.prompt_token_id_logprobs
    if scores is None:
        return None
    told: NDArray[np.float32] = np.asarray(scores)
    return told if np.isfinite(told).all() else None


def _features(root: Request, begin: int, end: int) -> list[Any]:
    """The pictures that are shown in a part of a request's prompt."""
    return [
        replace(one, mm_position=replace(one.mm_position, offset=one.mm_position.offset - begin))
        for one in root.mm_features
        if begin <= one.mm_position.offset < end
    ]


def first_asked(request: Request) -> int | None:
    """The first place whose hidden state a request needs for log-probabilities of its prompt."""
    params = request.sampling_params
    if params is None or params.prompt_logprob_token_ids is None:
        return None
    return int(params.prompt_logprob_start or 0)


def put_output(
    outputs: dict[int, EngineCoreOutputs],
    request: Request,
    reason: FinishReason,
    result: dict[str, Any] | None = None,
) -> None:
    """Add the only output of a request to those of its client."""
    outputs.setdefault(request.client_index, EngineCoreOutputs()).outputs.append(
        EngineCoreOutput(
            request_id=request.request_id,
            new_token_ids=[],
            finish_reason=reason,
            kv_transfer_params=result,
        )
    )
