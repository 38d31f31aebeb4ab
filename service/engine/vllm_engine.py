"""The engine of the product: vLLM."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semcore.bars import has_bars
from semcore.errors import EngineError
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.tokens import (
    IdentifierTokenizer,
    end_token,
    letter_tokens,
    load_tokenizer,
    verdict_tokens,
)
from semcore.model.adapter import adapter_of, adapter_rank
from semcore.model.frozen_vision import has_frozen_vision
from semcore.model.picture_embedder import PictureEmbedder
from semcore.model.prompt import IMAGE
from service.beams.beam_search import Beam, Choice
from service.beams.side import Side
from service.engine.protocol import Found, Picture, Prompt, Step
from service.engine.vllm_contract import require_names
from service.engine.vllm_requests import VllmRequests, picture_lengths
from service.errors import InvalidQueryError
from service.settings import Settings

if TYPE_CHECKING:
    from vllm import RequestOutput
    from vllm.config import VllmConfig
    from vllm.inputs import EngineInput
    from vllm.v1.engine.async_llm import AsyncLLM

_BLOCK = 32
_PICTURES_GIB = 0.25
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # those that vLLM knows
_SAID = 64  # tokens of a text by which pictures are judged
_CHARACTERS = 40  # of a token, more than most have
_LONGEST = 300  # tokens of an identifier, more than any walk has
_CPU_WORKER = "service.beams.cpu_worker.ScoringCPUWorker"
_GPU_WORKER = "service.beams.gpu_worker.ScoringWorker"

Choices = Sequence[Sequence[int]]
"""Of each token of an answer itself, first, and those that it is compared with."""


class VllmEngine:
    """vLLM's asynchronous engine, in a process of its own."""

    def __init__(
        self,
        llm: AsyncLLM,
        tokenizer: Any,
        embedder: PictureEmbedder | None = None,
        adapter: Path | None = None,
        leaf_limit: int | None = None,
        pictures: int = 1,
    ) -> None:
        """
        Args:
            leaf_limit: see :class:`service.beams.beam_search.BeamSearch`; None: twice the beams.
            pictures: the most that a request may show.
        """
        self.leaf_limit = leaf_limit
        self._requests = VllmRequests(llm, embedder, adapter)
        self._tokenizer = tokenizer
        self._verdicts = verdict_tokens(tokenizer)
        self._end = end_token(tokenizer)
        self._spelling = IdentifierTokenizer(tokenizer)
        self._pictures = pictures
        self._visible = 1  # the most tokens that a picture has taken so far

    @classmethod
    def start(cls, model: Path, settings: Settings, **arguments: Any) -> VllmEngine:
        """Load a model. ``arguments``: more of vLLM's own, or others in place of ours.

        Raises :class:`ModelError` or :class:`EngineError` that says why not, which is an
        :class:`EngineVersionError` where the installed vLLM lacks what the service builds on.
        """
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(settings.cpu_kvcache_gib))
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        if settings.one_process:
            # Without this, vLLM starts a process for the model on every CPU.
            os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        from vllm.platforms import current_platform

        require_names("cpu" if current_platform.is_cpu() else "gpu")
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        tokenizer = load_tokenizer(model)
        embedder = PictureEmbedder(model) if has_frozen_vision(model) else None
        adapter = adapter_of(model)
        ours = {
            "model": str(model),
            "dtype": settings.dtype,
            "max_model_len": settings.max_model_len or None,
            "max_num_seqs": settings.max_batch,
            "scheduler_cls": "service.beams.scheduler.BeamScheduler",
            "worker_cls": _CPU_WORKER if current_platform.is_cpu() else _GPU_WORKER,
            "async_scheduling": False,  # a step of the beams begins with the answers of the last
            "logprobs_mode": "processed_logits",
            # As many as are judged in one request.
            "limit_mm_per_prompt": {"image": settings.verified, "video": 0},
            # vLLM keeps 4 GiB of pictures in each of two processes, unless told.
            "mm_processor_cache_gb": _PICTURES_GIB,
            "enable_mm_embeds": True,
            "gpu_memory_utilization": settings.gpu_memory_utilization,
            "block_size": _BLOCK if current_platform.is_cpu() else None,
            "distributed_executor_backend": "uni" if settings.one_process else None,
            "enable_prefix_caching": True,
            "enforce_eager": settings.enforce_eager,
            "use_tqdm_on_load": has_bars(),
            "disable_log_stats": False,  # they are metrics of Prometheus; nothing is logged
        }
        if adapter is not None:
            rank = next(rank for rank in _LORA_RANKS if rank >= adapter_rank(adapter))
            ours |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
        try:
            args = AsyncEngineArgs(**{**ours, **settings.engine_arguments, **arguments})
            config = args.create_engine_config()
            require_whole_steps(config)
            two = config.use_v2_model_runner
            processor = "TrieLogitsProcessorV2" if two else "TrieLogitsProcessor"
            args.logits_processors = [f"service.beams.logits_processor:{processor}"]
            llm = AsyncLLM.from_engine_args(args)
        except (RuntimeError, TypeError, ValueError, OSError) as error:
            raise EngineError(f"vLLM cannot serve {model}: {error}") from error
        return cls(llm, tokenizer, embedder, adapter, settings.leaf_limit, settings.verified)

    @property
    def llm(self) -> AsyncLLM:
        return self._requests.llm

    async def stop(self) -> None:
        self._requests.stop()

    async def check(self) -> None:
        await self._requests.check()

    def prompt(self, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
        if text.count(IMAGE) != len(pictures):
            raise ValueError("a prompt needs one placeholder for each picture")
        tokens = self._tokenizer.encode(text, add_special_tokens=False)
        return Prompt(tuple(tokens), tuple(pictures))

    def spell(self, identifier: str) -> list[int]:
        return self._spelling.tokens(Identifier.parse(identifier))

    def say(self, text: str) -> list[int]:
        start = text[: _SAID * _CHARACTERS]
        tokens: list[int] = self._tokenizer.encode(start, add_special_tokens=False)
        return [*tokens, self._end][:_SAID]

    def read(self, token: int) -> str:
        return "" if token == self._end else str(self._tokenizer.decode([token]))

    async def find(
        self,
        prompt: Prompt,
        side: Side,
        beam_width: int,
        *,
        constrained: bool,
        traced: bool = False,
    ) -> Found:
        from service.beams.scheduler import search_argument

        argument = search_argument(
            side.files,
            beam_width,
            constrained=constrained,
            traced=traced,
            leaf_limit=2 * beam_width if self.leaf_limit is None else self.leaf_limit,
        )
        params = self._requests.params(
            max_tokens=_LONGEST, stop_token_ids=[self._end], extra_args=argument
        )
        output = await self._requests.answered(
            await self._requests.rendered(prompt), params, side.layers.depth
        )
        result = _result(output, "the engine could not finish the search; search again")
        return Found(
            [
                Beam(tuple(leaves), logprob, tuple(Choice(*choice) for choice in choices))
                for leaves, logprob, choices in zip(
                    result["leaves"], result["logprobs"], result["choices"], strict=True
                )
            ],
            queued=result["queued"],
            steps=[Step(*step) for step in result["steps"]],
            trail=[[tuple(place) for place in step] for step in result["trail"]],
        )

    async def judge(self, prompts: Sequence[Prompt]) -> list[float]:
        told = await self._weigh_each(prompts, [[self._verdicts]] * len(prompts))
        return [yes - no for ((yes, no),) in told]

    async def choose(self, prompt: Prompt, count: int) -> list[float]:
        letters = letter_tokens(self._tokenizer)[:count]
        ((told,),) = await self._weigh_each([prompt], [[letters]])
        return told

    async def weigh(self, prompt: Prompt, spelled: Sequence[Sequence[int]]) -> list[float]:
        if not spelled:
            return []
        answers = [_each_alone(tokens) for tokens in spelled]
        told = await self._weigh(await self._requests.rendered(prompt), answers)
        return [sum(logprob for (logprob,) in answer) for answer in told]

    async def weigh_each(
        self, prompts: Sequence[Prompt], spelled: Sequence[Sequence[int]]
    ) -> list[float]:
        told = await self._weigh_each(prompts, [_each_alone(tokens) for tokens in spelled])
        return [sum(logprob for (logprob,) in answer) for answer in told]

    async def _weigh_each(
        self, prompts: Sequence[Prompt], answers: Sequence[Choices]
    ) -> list[list[list[float]]]:
        """An answer to each prompt, as :meth:`_weigh`; many prompts in one request."""
        groups: list[list[int]] = []
        tokens = pictures = 0
        longest = max(map(len, answers), default=0)
        for place, prompt in enumerate(prompts):
            length = len(prompt.tokens) + len(prompt.pictures) * self._visible
            tokens, pictures = tokens + length, pictures + len(prompt.pictures)
            room = tokens + longest < self._requests.longest
            if not groups or not room or pictures > self._pictures:
                groups.append([])
                tokens, pictures = length, len(prompt.pictures)
            groups[-1].append(place)
        told = await asyncio.gather(
            *(self._weigh_group([prompts[n] for n in g], [answers[n] for n in g]) for g in groups)
        )
        return [answer for group in told for answer in group]

    async def _weigh_group(
        self, prompts: Sequence[Prompt], answers: Sequence[Choices]
    ) -> list[list[list[float]]]:
        joined = Prompt(
            tuple(token for prompt in prompts for token in prompt.tokens),
            tuple(picture for prompt in prompts for picture in prompt.pictures),
        )
        rendered = await self._requests.rendered(joined)
        seen = iter(picture_lengths(rendered))
        parts = []
        for prompt in prompts:
            lengths = [next(seen) for _ in prompt.pictures]
            self._visible = max([self._visible, *lengths])
            parts.append(len(prompt.tokens) + sum(lengths) - len(lengths))
        try:
            return await self._weigh(rendered, answers, parts)
        except InvalidQueryError:
            if len(prompts) == 1:
                raise
        # Pictures take more tokens than those before them.
        half = len(prompts) // 2
        first = await self._weigh_group(prompts[:half], answers[:half])
        return first + await self._weigh_group(prompts[half:], answers[half:])

    async def _weigh(
        self, rendered: EngineInput, answers: Sequence[Choices], parts: Sequence[int] = ()
    ) -> list[list[list[float]]]:
        """The log-probabilities of all choices of all answers.

        Args:
            parts: see :func:`service.beams.weighing.weighing_argument`.
        """
        from service.beams.weighing import weighing_argument

        params = self._requests.params(max_tokens=1, extra_args=weighing_argument(answers, parts))
        output = await self._requests.answered(rendered, params, room=max(map(len, answers)) + 1)
        result = _result(output, "the engine returned no log-probabilities")
        told: list[list[list[float]]] = result["logprobs"]
        return told


def require_whole_steps(config: VllmConfig) -> None:
    """Raises :class:`EngineError` where a step would begin before the last one's answers are there,
    or bring forth more than one token of a row: the beams choose in between."""
    is_early = config.scheduler_config.async_scheduling
    if is_early or config.speculative_config is not None:
        name = "async_scheduling" if is_early else "speculative_config"
        raise EngineError(
            f"searches cannot run with vLLM's {name}; take it out of SEMCORE_ENGINE_ARGUMENTS"
        )


def _result(output: RequestOutput, problem: str) -> dict[str, Any]:
    """What a scheduler of ours tells with its output. Raises :class:`EngineError` of the problem
    where it was not able to."""
    from service.beams.weighing import RESULT

    if output.outputs[0].finish_reason != "stop" or not output.kv_transfer_params:
        raise EngineError(problem)
    result: dict[str, Any] = output.kv_transfer_params[RESULT]
    return result


def _each_alone(tokens: Sequence[int]) -> Choices:
    return [[token] for token in tokens]
