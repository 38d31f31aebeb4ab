"""Requests to vLLM: prompts as it takes them, and its answers or why there are none."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from semcore.errors import EngineError
from semcore.model.picture_embedder import PictureEmbedder
from service.engine.protocol import Picture, Prompt
from service.errors import InvalidQueryError

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams
    from vllm.inputs import EngineInput
    from vllm.v1.engine.async_llm import AsyncLLM

_EMBEDDED = 256  # pictures whose visual tokens are kept


class VllmRequests:
    """Of one engine."""

    def __init__(
        self, llm: AsyncLLM, embedder: PictureEmbedder | None = None, adapter: Path | None = None
    ) -> None:
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest
        from vllm.sampling_params import RequestOutputKind

        self.llm = llm
        self._params = SamplingParams
        self._kind = RequestOutputKind.FINAL_ONLY
        self._adapter = None if adapter is None else LoRARequest(adapter.name, 1, str(adapter))
        self._embedder = embedder
        self._embedded: OrderedDict[str, Tensor] = OrderedDict()

    @property
    def longest(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        length: int = self.llm.model_config.max_model_len
        return length

    def stop(self) -> None:
        self.llm.shutdown()
        del self.llm  # else it shuts down once more at the very end, when nothing works any more

    async def check(self) -> None:
        """Raises :class:`EngineError` if the engine has died."""
        try:
            await self.llm.check_health()
        except Exception as error:  # vLLM has several, all of which mean that it is gone
            raise EngineError(f"the inference engine has died ({error}); restart it") from error

    def params(self, **more: Any) -> SamplingParams:
        return self._params(
            temperature=0.0,
            detokenize=False,
            output_kind=self._kind,
            skip_clone=True,
            **more,
        )

    async def rendered(self, prompt: Prompt) -> EngineInput:
        """A prompt as the engine takes it, its pictures as pixels.

        Raises:
            InvalidQueryError: the engine has no room for so many tokens.
            EngineError: vLLM refuses the prompt.
        """
        from vllm.inputs import tokens_input
        from vllm.renderers.inputs.preprocess import parse_model_prompt

        tokens = list(prompt.tokens)
        if not prompt.pictures:
            return tokens_input(tokens)
        shown: list[Any] = [picture.features for picture in prompt.pictures]
        keys = [f"{picture.key}/seen" for picture in prompt.pictures]
        if self._embedder is not None:
            shown = [await asyncio.to_thread(self._seen, picture) for picture in prompt.pictures]
        elif any(features is None for features in shown):  # vLLM takes no pixels beside features
            shown = [picture.image for picture in prompt.pictures]
            keys = [picture.key for picture in prompt.pictures]
        self._check_room(len(tokens))  # vLLM's own error of it is not told apart from others
        request = {
            "prompt_token_ids": tokens,
            "multi_modal_data": {"image": shown},
            "multi_modal_uuids": {"image": keys},
        }
        renderer = self.llm.renderer
        async with self._told_apart():
            parsed = parse_model_prompt(self.llm.model_config, request)
            params = renderer.default_cmpl_tok_params
            (rendered,) = await renderer.render_cmpl_async([parsed], params)
        return rendered

    def _seen(self, picture: Picture) -> Tensor:
        """The visual tokens of a picture that the frozen encoder sees, float [tokens, hidden]."""
        if picture.tokens is not None:
            return picture.tokens
        known = self._embedded.get(picture.key)
        if known is None:
            assert self._embedder is not None
            if picture.features is not None:
                (known,) = self._embedder.project(picture.features[None])
            else:
                assert picture.image is not None
                (known,) = self._embedder([picture.image])
            self._embedded[picture.key] = known
            if len(self._embedded) > _EMBEDDED:
                self._embedded.popitem(last=False)
        return known

    async def answered(
        self, rendered: EngineInput, params: SamplingParams, room: int = 1
    ) -> RequestOutput:
        """The final output of one request, which needs room for so many tokens.

        Raises:
            InvalidQueryError: there is no room.
            EngineError: the engine failed.
        """
        try:
            self._check_room(len(rendered["prompt_token_ids"]), room)
        except InvalidQueryError:
            self._forget(rendered)
            raise
        async with self._told_apart():
            async for output in self.llm.generate(
                rendered, params, uuid.uuid4().hex, lora_request=self._adapter
            ):
                last = output
        return last

    def _check_room(self, length: int, room: int = 1) -> None:
        if length + room > self.longest:
            raise InvalidQueryError(
                f"the query is too long: {length} tokens, where the model has room for "
                f"{self.longest - room}; shorten it, or raise SEMCORE_MAX_MODEL_LEN"
            )

    def _forget(self, rendered: EngineInput) -> None:
        """vLLM takes the pictures of a rendered prompt to be in the engine, where it goes next."""
        cache = self.llm.renderer.mm_processor_cache
        if cache is not None:
            for key in rendered.get("mm_hashes", {}).get("image", ()):
                cache.invalidate(key)

    @asynccontextmanager
    async def _told_apart(self) -> AsyncIterator[None]:
        """What vLLM raises, as errors of ours."""
        try:
            yield
        except ValueError as error:
            raise EngineError(f"the engine refused the prompt: {error}") from error
        except Exception as error:
            await self.check()
            raise EngineError(f"the engine failed: {error}") from error


def picture_lengths(rendered: EngineInput) -> list[int]:
    """The tokens that each picture of a rendered prompt takes."""
    return [place.length for place in rendered.get("mm_placeholders", {}).get("image", ())]
