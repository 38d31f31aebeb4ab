"""Steps of vLLM's scheduler on a model that is made up, run by runners as vLLM has two.

The scheduler and the batch of runner V1 are vLLM's own; what a runner does with a step is done here
as vLLM's does it, so that both logits processors meet the batches that they meet in service, and
every mask is kept to be compared.
"""

import random
import warnings
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semcore.trie.layers import Layers
from service.beams.beam_search import Answer, Beam, BeamSearch

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what vLLM imports
    from vllm import SamplingParams
    from vllm.config import CacheConfig, SchedulerConfig, VllmConfig
    from vllm.utils.hashing import sha256
    from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
    from vllm.v1.core.sched.output import SchedulerOutput
    from vllm.v1.engine import EngineCoreOutput
    from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
    from vllm.v1.outputs import LogprobsLists, ModelRunnerOutput
    from vllm.v1.request import Request
    from vllm.v1.sample.logits_processor.state import LogitsProcessors
    from vllm.v1.worker.gpu_input_batch import CachedRequestState, InputBatch

    from service.beams.logits_processor import TrieLogitsProcessor, TrieLogitsProcessorV2
    from service.beams.scheduler import BeamScheduler

VOCABULARY, BLOCK, LONGEST = 20, 4, 64
_CPU = torch.device("cpu")
Masks = dict[tuple[str, int], Tensor]
init_none_hash(sha256)  # as an engine does before its first request


def model_logits(tokens: Sequence[int]) -> Tensor:
    """What the model says after some tokens, float32 [vocabulary]; always the same."""
    rng = np.random.default_rng([len(tokens), *tokens])
    return torch.from_numpy(rng.standard_normal(VOCABULARY).astype(np.float32))


def scheduler_of(rows: int, blocks: int, step: int, *, two: bool) -> BeamScheduler:
    """A scheduler as an engine makes it.

    Args:
        rows: of a batch.
        blocks: of the cache, of four tokens each.
        step: tokens that a step computes at most.
        two: for runner V2.
    """
    cache = CacheConfig(block_size=BLOCK, enable_prefix_caching=True)
    cache.num_gpu_blocks = blocks
    config = VllmConfig(
        scheduler_config=SchedulerConfig(
            max_num_seqs=rows,
            max_num_batched_tokens=step,
            max_model_len=LONGEST,
            is_encoder_decoder=False,
            enable_chunked_prefill=True,
            async_scheduling=False,
        ),
        cache_config=cache,
    )
    config.model_config = _Model(max_model_len=LONGEST, get_vocab_size=lambda: VOCABULARY)
    spec = FullAttentionSpec(block_size=BLOCK, num_kv_heads=1, head_size=8, dtype=torch.float32)
    layers = KVCacheConfig(blocks, [], [KVCacheGroupSpec(["layer"], spec)])
    structured: Any = SimpleNamespace(accept_tokens=lambda *_: True)
    scheduler = BeamScheduler(config, layers, structured, BLOCK, log_stats=True)
    scheduler.use_v2_model_runner = two
    return scheduler


def request_of(name: str, prompt: Sequence[int], params: SamplingParams, **more: Any) -> Request:
    """As the engine makes it of a client's."""
    hasher = get_request_block_hasher(BLOCK, sha256)
    return Request(name, list(prompt), params, None, block_hasher=hasher, **more)


class _Model(SimpleNamespace):
    """The configuration of a model without anything particular."""

    def __getattr__(self, name: str) -> Any:
        return None


class Runner:
    """What both runners do with a step; ``masks``: of each request, by how many tokens it had, the
    logits that its processor left."""

    def __init__(self) -> None:
        self.tokens: dict[str, list[int]] = {}
        self.params: dict[str, SamplingParams] = {}
        self.computed: dict[str, int] = {}
        self.prompts: dict[str, int] = {}
        self.masks: Masks = {}
        self.half_read = self.preempted = 0

    def run(self, step: SchedulerOutput) -> ModelRunnerOutput:
        for name in step.finished_req_ids:
            self.tokens.pop(name, None)
        for new in step.scheduled_new_reqs:
            known = new.prefill_token_ids or new.prompt_token_ids
            assert known is not None
            assert new.sampling_params is not None
            self.tokens[new.req_id] = list(known)
            self.prompts[new.req_id] = len(new.prompt_token_ids or ())
            self.params[new.req_id] = new.sampling_params
            self.computed[new.req_id] = new.num_computed_tokens
        cached = step.scheduled_cached_reqs
        self.preempted += len(step.preempted_req_ids or ())
        self.computed |= dict(zip(cached.req_ids, cached.num_computed_tokens, strict=True))
        names = self.follow(step)
        if not names:
            return ModelRunnerOutput([], {})
        ends = [self.computed[name] + step.num_scheduled_tokens[name] for name in names]
        logits = torch.stack(
            [model_logits(self.tokens[n][:end]) for n, end in zip(names, ends, strict=True)]
        )
        logits = self.masked(logits, names, ends)
        told, chosen = self._told(step), []
        for row, (name, end) in enumerate(zip(names, ends, strict=True)):
            self.masks[name, end] = logits[row].clone()
            is_read = end == len(self.tokens[name])
            self.half_read += not is_read
            chosen.append([int(logits[row].argmax())] if is_read else [])
            if is_read:
                self.spell(name, chosen[-1][0])
        likeliest = logits.sort(descending=True, stable=True)
        best = torch.tensor([[int(one)] for one in logits.argmax(dim=-1)])
        logprobs = LogprobsLists(
            torch.cat([best, likeliest.indices], dim=1).numpy(),
            torch.cat([logits.gather(1, best), likeliest.values], dim=1).numpy(),
            np.zeros(len(names)),
        )
        places = {name: place for place, name in enumerate(names)}
        return ModelRunnerOutput(names, places, chosen, logprobs, {}, told)

    def spell(self, name: str, token: int) -> None:
        self.tokens[name].append(token)

    def follow(self, step: SchedulerOutput) -> list[str]:
        """Note how the batch changes; its requests in order."""
        raise NotImplementedError

    def masked(self, logits: Tensor, names: list[str], ends: list[int]) -> Tensor:
        raise NotImplementedError

    def _told(self, step: SchedulerOutput) -> dict[str, Tensor]:
        """The log-probabilities that requests ask for, where their prompt ends with the step."""
        told = {}
        for name, count in step.num_scheduled_tokens.items():
            params, begin, length = self.params[name], self.computed[name], self.prompts[name]
            if params.prompt_logprob_token_ids is None or not begin < length <= begin + count:
                continue
            first = params.prompt_logprob_start or 0
            rows = [
                model_logits(self.tokens[name][: first + place + 1]).log_softmax(dim=-1)
                for place in range(len(params.prompt_logprob_token_ids))
            ]
            ids = torch.from_numpy(np.asarray(params.prompt_logprob_token_ids, np.int64))
            told[name] = torch.stack(rows).gather(1, ids)
        return told


class RunnerV1(Runner):
    """Keeps its requests in the rows of a batch, which it moves."""

    def __init__(self, rows: int, seed: int = 0) -> None:
        super().__init__()
        config: Any = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=rows))
        self.processor = TrieLogitsProcessor(config, _CPU, False)
        self.batch = InputBatch(
            max_num_reqs=rows, max_model_len=LONGEST, max_num_batched_tokens=LONGEST, device=_CPU,
            vocab_size=VOCABULARY, block_sizes=[BLOCK], max_num_blocks_per_req=[LONGEST // BLOCK],
            logitsprocs=LogitsProcessors([self.processor]),
        )  # fmt: skip
        self.states: dict[str, CachedRequestState] = {}
        self.rng = random.Random(seed)
        self.swaps = 0

    def follow(self, step: SchedulerOutput) -> list[str]:
        cached, scheduled = step.scheduled_cached_reqs, step.num_scheduled_tokens.keys()
        for name in step.finished_req_ids:
            self.states.pop(name, None)
            self.batch.remove_request(name)
        for name in self.batch.req_id_to_index.keys() - (scheduled - cached.resumed_req_ids):
            self.batch.remove_request(name)
        added = []
        for new in step.scheduled_new_reqs:
            self.states[new.req_id] = CachedRequestState(
                req_id=new.req_id, prompt_token_ids=new.prompt_token_ids, mm_features=[],
                sampling_params=new.sampling_params, generator=None, block_ids=new.block_ids,
                num_computed_tokens=new.num_computed_tokens, output_token_ids=[],
            )  # fmt: skip
            added.append(self.states[new.req_id])
        added += [self.states[n] for n in cached.req_ids if n not in self.batch.req_id_to_index]
        for state in added:
            self.batch.add_request(state)
        self.batch.condense()
        for _ in range(self.rng.randrange(3) if len(scheduled) > 1 else 0):
            self.batch.swap_states(*self.rng.sample(range(len(scheduled)), 2))
            self.swaps += 1
        self.batch.refresh_metadata()
        return list(self.batch.req_ids)

    def masked(self, logits: Tensor, names: list[str], ends: list[int]) -> Tensor:
        return self.processor.apply(logits)

    def spell(self, name: str, token: int) -> None:
        super().spell(name, token)
        self.states[name].output_token_ids.append(token)


class RunnerV2(Runner):
    """Keeps its requests in slots, and runs them in any order, padded."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.prefilled = np.zeros(rows, dtype=np.int32)
        states: Any = SimpleNamespace(
            max_num_reqs=rows, device=_CPU, prefill_len=SimpleNamespace(np=self.prefilled)
        )
        config: Any = None
        self.processor = TrieLogitsProcessorV2(config, states)
        self.slots: dict[str, int] = {}
        self.free = list(range(rows))

    def follow(self, step: SchedulerOutput) -> list[str]:
        gone = step.finished_req_ids | (step.preempted_req_ids or set())
        for name in sorted(gone & self.slots.keys()):
            self.free.append(self.slots.pop(name))
        for new in step.scheduled_new_reqs:
            assert new.prefill_token_ids is not None
            assert new.sampling_params is not None
            slot = self.slots[new.req_id] = self.free.pop()
            self.prefilled[slot] = len(new.prefill_token_ids)
            self.processor.add_request(slot, new.sampling_params)
        scheduled = step.num_scheduled_tokens
        return sorted(scheduled, key=lambda name: (scheduled[name] != 1, scheduled[name]))

    def masked(self, logits: Tensor, names: list[str], ends: list[int]) -> Tensor:
        context: Any = SimpleNamespace(
            idx_mapping_np=np.array([self.slots[name] for name in names]),
            seq_lens_upper_bound_np=np.array([*ends, 0, 0, 0]),  # as a captured graph is padded
        )
        return self.processor.apply(logits, context)


def run_step(scheduler: BeamScheduler, runner: Runner) -> list[EngineCoreOutput]:
    """One step of the engine; what its clients are told."""
    step = scheduler.schedule()
    outputs = scheduler.update_from_output(step, runner.run(step))
    return [one for client in outputs.values() for one in client.outputs]


def run_all(
    scheduler: BeamScheduler, runner: Runner, requests: Sequence[Request], most: int = 300
) -> dict[str, EngineCoreOutput]:
    """The last output of each request, whose steps are at most so many."""
    for request in requests:
        scheduler.add_request(request)
    last: dict[str, EngineCoreOutput] = {}
    while len(last) < len(requests) and most:
        most -= 1
        told = run_step(scheduler, runner)
        last |= {one.request_id: one for one in told if one.finish_reason is not None}
    return last


def greedy(most: int, argument: dict[str, Any] | None = None) -> SamplingParams:
    """Parameters as the service makes them."""
    return SamplingParams(temperature=0.0, max_tokens=most, extra_args=argument, ignore_eos=True)


def expected_beams(layers: Layers, prompt: Sequence[int], width: int) -> list[Beam]:
    """What a search finds on the model, without an engine."""
    search = BeamSearch(layers, width, stepwise=True)
    while search.rows:
        answers = {}
        for number, row in search.rows.items():
            logprobs = model_logits([*prompt, *row.tokens]).log_softmax(dim=-1)
            forbidden = set(range(VOCABULARY)) - set(layers.allowed(row.positions))
            logprobs[sorted(forbidden)] = -torch.inf
            best = logprobs.sort(descending=True, stable=True)
            kept = slice(min(2 * width, VOCABULARY))
            tokens = best.indices[kept].numpy().astype(np.int32)
            answers[number] = Answer(int(tokens[0]), tokens, best.values[kept].numpy())
        search.advance(answers)
    return search.beams
