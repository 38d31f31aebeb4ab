"""The engine of the product: vLLM."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from semcore.bars import has_bars
from semcore.errors import EngineError
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.tokens import (
    IdentifierTokenizer,
    end_token,
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
from service.errors import InvalidQueryError
from service.settings import Settings

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams
    from vllm.inputs import EngineInput
    from vllm.v1.engine.async_llm import AsyncLLM

_BLOCK = 32
_PICTURES_GIB = 0.25
_EMBEDDED = 256  # pictures whose visual tokens are kept
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # those that vLLM knows
_SAID = 64  # tokens of a text by which pictures are judged
_CHARACTERS = 40  # of a token, more than most have
_LONGEST = 300  # tokens of an identifier, more than any walk has
_CPU_WORKER = "service.beams.cpu_worker.ScoringCPUWorker"
_GPU_WORKER = "service.beams.gpu_worker.ScoringWorker"


class VllmEngine:
    """vLLM's asynchronous engine, in a process of its own."""

    def __init__(
        self,
        llm: AsyncLLM,
        tokenizer: Any,
        embedder: PictureEmbedder | None = None,
        adapter: Path | None = None,
        leaf_limit: int = 0,
    ) -> None:
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest
        from vllm.sampling_params import RequestOutputKind

        self.llm = llm
        self._tokenizer = tokenizer
        self._verdicts = verdict_tokens(tokenizer)
        self._params = SamplingParams
        self._kind = RequestOutputKind.FINAL_ONLY
        self._end = end_token(tokenizer)
        self._spelling = IdentifierTokenizer(tokenizer)
        self._adapter = None if adapter is None else LoRARequest(adapter.name, 1, str(adapter))
        self._embedder = embedder
        self.leaf_limit = leaf_limit
        self._embedded: OrderedDict[str, Tensor] = OrderedDict()

    @classmethod
    def start(cls, model: Path, settings: Settings, **arguments: Any) -> VllmEngine:
        """Load a model. ``arguments``: more of vLLM's own, or others in place of ours.

        Raises :class:`ModelError` or :class:`EngineError` that says why not.
        """
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(settings.cpu_kvcache_gib))
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        if settings.one_process:
            # Without this, vLLM starts a process for the model on every CPU.
            os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform
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
            "limit_mm_per_prompt": {"image": 1, "video": 0},
            # vLLM keeps 4 GiB of pictures in each of two processes, unless told.
            "mm_processor_cache_gb": _PICTURES_GIB,
            "enable_mm_embeds": embedder is not None,
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
            two = getattr(args.create_engine_config(), "use_v2_model_runner", False)
            processor = "TrieLogitsProcessorV2" if two else "TrieLogitsProcessor"
            args.logits_processors = [f"service.beams.logits_processor:{processor}"]
            llm = AsyncLLM.from_engine_args(args)
        except (RuntimeError, TypeError, ValueError, OSError) as error:
            raise EngineError(f"vLLM cannot serve {model}: {error}") from error
        return cls(llm, tokenizer, embedder, adapter, settings.leaf_limit)

    async def stop(self) -> None:
        self.llm.shutdown()
        del self.llm  # else it shuts down once more at the very end, when nothing works any more

    async def check(self) -> None:
        try:
            await self.llm.check_health()
        except Exception as error:  # vLLM has several, all of which mean that it is gone
            raise EngineError(f"the inference engine has died ({error}); restart it") from error

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
        from service.beams.weighing import RESULT

        argument = search_argument(
            side.files,
            beam_width,
            constrained=constrained,
            traced=traced,
            leaf_limit=self.leaf_limit,
        )
        params = self._params(
            max_tokens=_LONGEST,
            temperature=0.0,
            stop_token_ids=[self._end],
            extra_args=argument,
            detokenize=False,
            output_kind=self._kind,
            skip_clone=True,
        )
        output = await self._ask(prompt, params, room=side.layers.depth)
        if output.outputs[0].finish_reason != "stop" or not output.kv_transfer_params:
            raise EngineError("the engine could not finish the search; search again")
        result = output.kv_transfer_params[RESULT]
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
        yes, no = self._verdicts
        told = await asyncio.gather(*(self._chosen(one, [self._verdicts]) for one in prompts))
        return [step[yes].logprob - step[no].logprob for (step,) in told]

    async def weigh(self, prompt: Prompt, spelled: Sequence[Sequence[int]]) -> list[float]:
        from service.beams.weighing import RESULT, weighing_argument

        if not spelled:
            return []
        params = self._params(
            max_tokens=1,
            temperature=0.0,
            extra_args=weighing_argument(spelled),
            detokenize=False,
            output_kind=self._kind,
            skip_clone=True,
        )
        output = await self._ask(prompt, params, room=max(map(len, spelled)) + 1)
        if output.outputs[0].finish_reason != "stop" or not output.kv_transfer_params:
            raise EngineError("the engine returned no log-probabilities")
        return [sum(logprobs) for logprobs in output.kv_transfer_params[RESULT]["logprobs"]]

    async def _chosen(self, prompt: Prompt, steps: Sequence[tuple[int, int]]) -> Sequence[Any]:
        """For each next token, which must be one of two, the log-probabilities of these by token:
        over the whole vocabulary."""
        from service.beams.logits_processor import choice_argument

        params = self._params(
            max_tokens=len(steps),
            temperature=0.0,
            # Not logprob_token_ids: it spoils the logprobs of other requests of the same batch.
            logprobs=2,
            extra_args=choice_argument(steps),
            stop_token_ids=[self._end],
            detokenize=False,
            output_kind=self._kind,
        )
        answer = await self._ask(prompt, params, room=len(steps))
        logprobs: Sequence[Any] | None = answer.outputs[0].logprobs
        if not logprobs:
            raise EngineError("the engine returned no log-probabilities")
        return logprobs

    async def _ask(self, prompt: Prompt, params: SamplingParams, room: int = 1) -> RequestOutput:
        """The final output of one request, which needs room for so many tokens."""
        try:
            rendered = await self._rendered(prompt)
            length, most = len(rendered["prompt_token_ids"]), self.llm.model_config.max_model_len
            if length + room > most:
                raise InvalidQueryError(
                    f"the query is too long: {length} tokens, where the model has room for "
                    f"{most - room}; shorten it, or raise SEMCORE_MAX_MODEL_LEN"
                )
            async for output in self.llm.generate(
                rendered, params, uuid.uuid4().hex, lora_request=self._adapter
            ):
                last = output
        except InvalidQueryError:
            raise
        except ValueError as error:
            raise EngineError(f"the engine refused the prompt: {error}") from error
        except Exception as error:
            await self.check()
            raise EngineError(f"the engine failed: {error}") from error
        return last

    async def _rendered(self, prompt: Prompt) -> EngineInput:
        """A prompt as the engine takes it, its pictures as pixels."""
        from vllm.inputs import tokens_input
        from vllm.renderers.inputs.preprocess import parse_model_prompt

        tokens = list(prompt.tokens)
        if not prompt.pictures:
            return tokens_input(tokens)
        shown: list[Any] = [picture.image for picture in prompt.pictures]
        if self._embedder is not None:
            shown = [await asyncio.to_thread(self._seen, picture) for picture in prompt.pictures]
        request = {
            "prompt_token_ids": tokens,
            "multi_modal_data": {"image": shown},
            "multi_modal_uuids": {"image": [picture.key for picture in prompt.pictures]},
        }
        renderer = self.llm.renderer
        parsed = parse_model_prompt(self.llm.model_config, request)
        (rendered,) = await renderer.render_cmpl_async([parsed], renderer.default_cmpl_tok_params)
        return rendered

    def _seen(self, picture: Picture) -> Tensor:
        """The visual tokens of a picture that the frozen encoder sees, float [tokens, hidden]."""
        if picture.tokens is not None:
            return picture.tokens
        known = self._embedded.get(picture.key)
        if known is None:
            assert self._embedder is not None
            assert picture.image is not None
            known = self._embedded[picture.key] = self._embedder([picture.image])[0]
            if len(self._embedded) > _EMBEDDED:
                self._embedded.popitem(last=False)
        return known
