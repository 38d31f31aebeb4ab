"""Log-probabilities of given tokens of a prompt, in the step that computes the prompt.

vLLM's model runner V2 tells them (``SamplingParams.prompt_logprob_token_ids``). This is the same
for runner V1: of all requests of a batch that ask for it, the hidden states in question are
gathered into one projection and one log-softmax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_CELLS = 1 << 24  # float32 values at a time: 64 MiB


class ScoringRunner:
    """What a model runner V1 gets by :func:`adopt`.

    It builds on ``vllm.v1.worker.gpu_model_runner.GPUModelRunner`` in three places:
    ``_get_prompt_logprobs_dict`` is called once a step, before the requests' computed tokens are
    counted up; ``sample_tokens`` gives the step's output; and ``_on_request_state_removed`` tells
    of each request that has gone.
    """

    #: By request float32 [places, choices], what is known of those it asks for; None: it was told,
    #: or cannot be, since what it asks for was computed before it came.
    _scores: dict[str, Tensor | None]
    _told: dict[str, Tensor]

    def sample_tokens(self, *args: Any, **kwargs: Any) -> Any:
        self._told = {}
        output = super().sample_tokens(*args, **kwargs)  # type: ignore[misc]
        if self._told:
            output.prompt_token_id_logprobs_dict = self._told
        return output

    def _get_prompt_logprobs_dict(
        self, hidden_states: Tensor, num_scheduled_tokens: Mapping[str, int]
    ) -> Any:
        self._score(hidden_states, num_scheduled_tokens)
        return super()._get_prompt_logprobs_dict(  # type: ignore[misc]
            hidden_states, num_scheduled_tokens
        )

    def _on_request_state_removed(self, req_id: str, *args: Any) -> None:
        self._scores.pop(req_id, None)
        super()._on_request_state_removed(req_id, *args)  # type: ignore[misc]

    def _score(self, hidden_states: Tensor, scheduled: Mapping[str, int]) -> None:
        """
        Args:
            hidden_states: float [scheduled tokens, hidden], in the order of the batch.
            scheduled: tokens of each request in this step.
        """
        runner: Any = self
        # 1. Of each request the places of this step that it asks for, one before each token.
        names = runner.input_batch.req_ids
        counts = np.zeros(len(names), dtype=np.int32)
        places, targets, spans, whole = [], [], [], []
        for index, name in enumerate(names):
            state = runner.requests[name]
            params = state.sampling_params
            ids = None if params is None else params.prompt_logprob_token_ids
            if ids is None or self._scores.get(name, ids) is None:
                continue
            first, last = params.prompt_logprob_start or 0, len(state.prompt_token_ids) - 1
            begin = state.num_computed_tokens
            end = begin + scheduled[name]
            if name not in self._scores:
                unknown = torch.full(np.shape(ids), torch.nan)
                self._scores[name] = None if begin > first else unknown
            scores = self._scores[name]
            if scores is None:
                continue
            low, high = max(first, begin), min(end, last)
            if low < high:
                at = int(runner.query_start_loc.np[index]) - begin
                places.append(np.arange(at + low, at + high))
                targets.append(np.asarray(ids)[low - first : high - first])
                spans.append(scores[low - first : high - first])
                counts[index] = high - low
            if end > last:
                whole.append(name)
        # 2. All of them at once.
        if places:
            every = np.concatenate(places), _as_wide(targets)
            told = self._logprobs(hidden_states, *every, scheduled, counts)
            for span, part in zip(
                spans, torch.split(told, [len(one) for one in spans]), strict=True
            ):
                span.copy_(part[:, : span.shape[1]])
        # 3. Requests whose prompt ends with this step are told.
        for name in whole:
            scores, self._scores[name] = self._scores[name], None
            if scores is not None:
                self._told[name] = scores

    def _logprobs(
        self,
        hidden_states: Tensor,
        places: NDArray[np.int64],
        targets: NDArray[np.int32],
        scheduled: Mapping[str, int],
        counts: NDArray[np.int32],
    ) -> Tensor:
        """Of each place the log-probabilities of its choices, float32 [places, choices].

        Args:
            places: int64 [places], rows of the hidden states.
            targets: int32 [places, choices].
            counts: int32 [requests], how many places are of each.
        """
        runner: Any = self
        rows = torch.from_numpy(places).to(runner.device)
        tokens = torch.from_numpy(targets.astype(np.int64)).to(runner.device)
        most = max(1, _CELLS // runner.input_batch.vocab_size)
        if runner.lora_config:
            lengths = [scheduled[name] for name in runner.input_batch.req_ids]
            adapted = runner.input_batch.make_lora_inputs(np.array(lengths, np.int32), counts)
        told = []
        for start in range(0, len(rows), most):
            part = slice(start, start + most)
            if runner.lora_config:  # whose layers are told of which request each row is
                runner._set_active_loras(adapted[0][part], *adapted[1:])
            logits = runner.model.compute_logits(hidden_states[rows[part]])
            told.append(logits.float().log_softmax(dim=-1).gather(1, tokens[part]))
        return torch.cat(told).cpu()


def _as_wide(targets: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    """All of them, int32 [places, choices]; where there are fewer choices the last one again."""
    most = max(one.shape[1] for one in targets)
    if any(one.shape[1] < most for one in targets):
        targets = [np.pad(o, ((0, 0), (0, most - o.shape[1])), "edge") for o in targets]
    return np.concatenate(targets)


class ScoringWorkers:
    """What a worker, whatever its platform, gets as a base: its model runner, of either kind, tells
    log-probabilities of prompts."""

    def init_device(self) -> None:
        super().init_device()  # type: ignore[misc]
        worker: Any = self
        if not worker.use_v2_model_runner:
            adopt(worker.model_runner)

    def load_model(self, **kwargs: Any) -> None:
        super().load_model(**kwargs)  # type: ignore[misc]
        worker: Any = self
        prompts = getattr(worker.model_runner, "prompt_logprobs_worker", None)
        if prompts is not None:
            # Runner V2 has them, but would tell logits where processed logits are asked for.
            prompts.logprobs_mode = "raw_logprobs"


def adopt(runner: Any) -> None:
    """Let a model runner V1, whatever its platform, tell log-probabilities of prompts."""
    kind = type(runner)
    runner.__class__ = type(f"Scoring{kind.__name__}", (ScoringRunner, kind), {})
    runner._scores, runner._told = {}, {}
