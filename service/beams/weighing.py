"""A scheduler for vLLM in which one request weighs many answers.

Each answer is a row, whose prompt is that of the request with the answer behind it, and which ends
with the step that has computed it: the model runner tells the log-probabilities of its tokens (see
:mod:`service.beams.scoring`). The first answer is computed with the prompt; the others begin with
its cached keys and values of the prompt, so that each costs its own tokens only, and all of them
are computed at once where there is room.

Or the prompt of the request is several, one behind the other, and each answer has one of them: what
a search asks at once comes in one message, for a message costs vLLM more than a short row does.

It builds on the behaviour of ``vllm.v1.core.sched.scheduler.Scheduler`` as
:mod:`service.beams.scheduler` does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from vllm.v1.core.kv_cache_manager import KVCacheBlocks
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.core.single_type_kv_cache_manager import FullAttentionManager
from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, FinishReason
from vllm.v1.metrics.stats import SchedulerStats
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus

from service.beams.logits_processor import ARGUMENT
from service.beams.row_request import (
    ROWS,
    argument_of,
    ask_logprobs,
    first_asked,
    put_output,
    row_request,
    told_logprobs,
)

RESULT = "semcore"
_SHARE = 8  # of the batch, that one request may fill
_COUNTED = 0.1  # seconds


def weighing_argument(
    answers: Sequence[Sequence[Sequence[int]]], parts: Sequence[int] = ()
) -> dict[str, Any]:
    """``extra_args`` of a request that weighs answers, each of one token or more.

    Args:
        answers: of each token itself, first, and those that it is compared with.
        parts: of a prompt for each answer, one behind the other, the tokens of each.

    Its only output has, in ``kv_transfer_params["semcore"]["logprobs"]``, the log-probabilities of
    all choices of all tokens of all answers; it finishes with an error where there is no room for
    them.
    """
    told = [[list(choices) for choices in answer] for answer in answers]
    return {ARGUMENT: {"answers": told, "parts": list(parts)}}


@dataclass(slots=True)
class _Weighing:
    """A client's request, and what is known of its answers.

    Attributes:
        prompts: of each answer where its prompt begins and ends in that of the request.
        rows: those under way, by the names of their requests.
        waiting: numbers of answers that have no row yet, the next one last.
        prompt: the blocks of the prompt, once they are computed.
    """

    request: Request
    answers: list[list[list[int]]]
    prompts: list[tuple[int, int]]
    logprobs: list[list[list[float]]]
    waiting: list[int]
    rows: dict[str, int] = field(default_factory=dict)
    prompt: KVCacheBlocks | None = None

    @property
    def first(self) -> str:
        """The name of the row that computes the prompt."""
        return f"{self.request.request_id}/0"

    @property
    def shares(self) -> bool:
        """Whether all answers have the same prompt."""
        return self.prompts[0] == self.prompts[-1]


class WeighingScheduler(Scheduler):  # type: ignore[misc]
    """Runs the requests that :func:`weighing_argument` was given to, and all others as before."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._weighings: dict[str, _Weighing] = {}
        self._weighing_of: dict[str, _Weighing] = {}
        self._refused: list[Request] = []
        self._idle = 0
        self._counts_wait = False
        self._counted = 0.0
        managers = self.kv_cache_manager.coordinator.single_type_managers
        self._inherits = len(managers) == 1 and isinstance(managers[0], FullAttentionManager)

    def add_request(self, request: Request) -> None:
        argument = argument_of(request)
        if "answers" not in argument:
            super().add_request(request)
            return
        answers, ends = argument["answers"], np.cumsum(argument["parts"]).tolist()
        prompts = list(zip([0, *ends], ends, strict=False))
        prompts = prompts or [(0, request.num_prompt_tokens)] * len(answers)
        # Rows are checked by nobody else, and one too long would end the engine.
        has_room = [
            end - begin + len(answer) + 1 <= self.max_model_len
            for (begin, end), answer in zip(prompts, answers, strict=True)
        ]
        if not all(answers) or not answers or not all(has_room):
            self._refused.append(request)
            return
        waiting = list(range(len(answers)))[::-1]
        weighing = _Weighing(request, answers, prompts, [[] for _ in answers], waiting)
        self._weighings[request.request_id] = weighing
        self._begin_answer(weighing)
        if not weighing.shares:
            self._begin_others(weighing)

    def has_requests(self) -> bool:
        return bool(self._refused or super().has_requests())

    def schedule(self, throttle_prefills: bool = False) -> SchedulerOutput:
        output = super().schedule(throttle_prefills)
        for weighing in self._weighings.values():
            self._share(weighing)
        return output

    def finish_requests(
        self, request_ids: str | Iterable[str] | None, finished_status: RequestStatus
    ) -> list[Request]:
        held = self.held()
        if isinstance(request_ids, str):
            request_ids = (request_ids,)
        names = list(held if request_ids is None else request_ids)
        found = [held[name] for name in names if name in held]
        others = None if request_ids is None else [name for name in names if name not in held]
        for request in found:
            request.status = finished_status
            super().finish_requests(self.forget(request.request_id), finished_status)
        finished: list[Request] = super().finish_requests(others, finished_status)
        return [*found, *finished]

    def update_from_output(
        self, scheduler_output: SchedulerOutput, model_runner_output: ModelRunnerOutput
    ) -> dict[int, EngineCoreOutputs]:
        outputs: dict[int, EngineCoreOutputs]
        is_idle = self.requests and not scheduler_output.total_num_scheduled_tokens
        self._idle = self._idle + 1 if is_idle else 0
        if self._idle > 1:  # not only for a step, as where a row has just been preempted
            self.give_up()
        self._counts_wait = True
        outputs = super().update_from_output(scheduler_output, model_runner_output)
        self._counts_wait = False
        for request in self._refused:
            put_output(outputs, request, FinishReason.ERROR)
        self._refused.clear()
        mine = outputs.pop(ROWS, None)
        if mine is not None:
            self.take_rows(mine.outputs, outputs)
            if mine.scheduler_stats is not None:
                outputs.setdefault(0, EngineCoreOutputs()).scheduler_stats = mine.scheduler_stats
        if outputs and all(one.scheduler_stats is None for one in outputs.values()):
            next(iter(outputs.values())).scheduler_stats = self.make_stats()
        return outputs

    def make_stats(self, *args: Any, **kwargs: Any) -> SchedulerStats | None:
        """Counts wait for an answer, or a while: a message of nothing else, each step, costs the
        client as much as some steps take."""
        is_more = any(one is not None for one in (*args, *kwargs.values()))
        is_due = time.monotonic() - self._counted >= _COUNTED
        if self._counts_wait and not is_more and not is_due:
            return None
        self._counted = time.monotonic()
        return super().make_stats(*args, **kwargs)

    def give_up(self) -> None:
        """End the last of these requests, with an error: the cache has no room for any request to
        go on, since these hold blocks that nobody may take from them."""
        name = next(reversed(self._weighings), None)
        if name is not None:
            self.refuse(self._weighings[name].request)

    def refuse(self, request: Request) -> None:
        """End one of the requests that are held, with an error."""
        super().finish_requests(self.forget(request.request_id), RequestStatus.FINISHED_ABORTED)
        self._refused.append(request)

    def held(self) -> dict[str, Request]:
        """The clients' requests that are rows to vLLM, by name."""
        return {name: weighing.request for name, weighing in self._weighings.items()}

    def forget(self, name: str) -> list[str]:
        """Drop one of the requests that are held; the names of the rows that it still has."""
        weighing = self._weighings.pop(name)
        if weighing.prompt is not None:
            self.kv_cache_manager.block_pool.free_blocks(reversed(weighing.prompt.blocks[0]))
        rows = list(weighing.rows)
        for row in rows:
            del self._weighing_of[row]
        return rows

    def take_rows(
        self, told: list[EngineCoreOutput], outputs: dict[int, EngineCoreOutputs]
    ) -> None:
        """Note what rows have been told in a step; requests that are done are answered."""
        for output in told:
            weighing = self._weighing_of.pop(output.request_id, None)
            if weighing is None:
                continue
            number = weighing.rows.pop(output.request_id)
            logprobs = told_logprobs(output)
            if logprobs is None:
                self._reply_weighed(weighing, outputs, FinishReason.ERROR)
                continue
            weighing.logprobs[number] = logprobs.tolist()
            if weighing.waiting:
                self._begin_others(weighing)
            elif not weighing.rows:
                self._reply_weighed(weighing, outputs, FinishReason.STOP)

    def _begin_others(self, weighing: _Weighing) -> None:
        """As many as one request may have at a time: else others would wait for hundreds."""
        most = max(1, self.max_num_running_reqs // _SHARE)
        while weighing.waiting and len(weighing.rows) < most:
            self._begin_answer(weighing)

    def _begin_answer(self, weighing: _Weighing) -> None:
        root, number = weighing.request, weighing.waiting.pop()
        begin, end = weighing.prompts[number]
        answer = weighing.answers[number]
        params = copy(root.sampling_params)
        params.extra_args = None
        params.max_tokens = 1
        ask_logprobs(params, end - begin, answer)
        name = f"{root.request_id}/{number}"
        tokens = [token for token, *_ in answer]
        request = row_request(root, name, tokens, params, part=(begin, end))
        weighing.rows[name] = number
        self._weighing_of[name] = weighing
        super().add_request(request)

    def _share(self, weighing: _Weighing) -> None:
        """Keep the blocks of the prompt when the step is scheduled that computes the last of it:
        afterwards the row that has computed them may be gone."""
        is_known = weighing.prompt is not None or not weighing.shares
        if is_known or not weighing.waiting or not self._inherits:
            return
        first = self.requests.get(weighing.first)
        shared = weighing.request.num_prompt_tokens - 1
        if first is None or first.num_computed_tokens < shared:
            return
        count = -(-shared // self.block_size)
        blocks = list(self.kv_cache_manager.get_blocks(weighing.first).blocks[0][:count])
        self.kv_cache_manager.block_pool.touch(blocks)
        weighing.prompt = KVCacheBlocks((blocks,))

    def _get_local_prefix_cache_hit(
        self, request: Request, *args: Any, **kwargs: Any
    ) -> tuple[KVCacheBlocks, int, int, bool]:
        weighing = self._weighing_of.get(request.request_id)
        if weighing is not None and weighing.prompt is not None:
            return weighing.prompt, weighing.request.num_prompt_tokens - 1, 0, False
        found: tuple[KVCacheBlocks, int, int, bool]
        found = super()._get_local_prefix_cache_hit(request, *args, **kwargs)
        first = first_asked(request)
        if first is not None and found[1] > first:
            # Of tokens that are cached the log-probabilities are not: they are computed again.
            hit = first // self.block_size * self.block_size
            return self.kv_cache_manager.truncate_computed_blocks(found[0], hit), hit, *found[2:]
        return found

    def _reply_weighed(
        self, weighing: _Weighing, outputs: dict[int, EngineCoreOutputs], reason: FinishReason
    ) -> None:
        request = weighing.request
        super().finish_requests(self.forget(request.request_id), RequestStatus.FINISHED_ABORTED)
        put_output(outputs, request, reason, {RESULT: {"logprobs": weighing.logprobs}})
