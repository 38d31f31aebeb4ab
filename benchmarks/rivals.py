"""Other ways to search with beams, on the same model."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from vllm import SamplingParams
from vllm.entrypoints.generate.beam_search.online import BeamSearchOnlineMixin
from vllm.inputs import tokens_input
from vllm.sampling_params import BeamSearchParams, RequestOutputKind

from offline.image_inputs import Pixels
from offline.model.backbone import load_model
from offline.training.candidates import Query, constrained_beams
from semcore.kind import Direction
from semcore.trie.walk import Walk
from service.beams.beam_search import Answer, Beam, BeamSearch, Row
from service.beams.layer_files import LayerFiles
from service.beams.logits_processor import position_argument
from service.beams.side import Side

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM


class StockBeams(BeamSearchOnlineMixin):  # type: ignore[misc]
    """vLLM's own beam search, as its server runs it; not constrained."""

    def __init__(self, llm: AsyncLLM) -> None:
        self.engine_client = llm
        self.renderer = llm.renderer

    async def search(self, tokens: list[int], beam_width: int, length: int) -> Any:
        """Spell ``length`` tokens."""
        params = BeamSearchParams(beam_width=beam_width, max_tokens=length, ignore_eos=True)
        stream = self.beam_search(tokens_input(tokens), uuid.uuid4().hex, params)
        return [output async for output in stream][-1].outputs


class RequestBeams:
    """Constrained beams with a request a beam and a step: the mask is ours, the loop the usual."""

    def __init__(self, llm: AsyncLLM) -> None:
        self._llm = llm

    async def search(self, tokens: list[int], side: Side, beam_width: int) -> list[Beam]:
        beams = BeamSearch(side.layers, beam_width, stepwise=True)
        while beams.rows:
            asked = [self._ask(tokens, row, side.files, beam_width) for row in beams.rows.values()]
            answers = await asyncio.gather(*asked)
            beams.advance(dict(zip(beams.rows, answers, strict=True)))
        return beams.beams

    async def _ask(self, tokens: list[int], row: Row, files: LayerFiles, beam_width: int) -> Answer:
        params = SamplingParams(
            max_tokens=1,
            temperature=0.0,
            logprobs=2 * beam_width,
            extra_args=position_argument(files, row.positions, len(row.tokens)),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        prompt = tokens_input([*tokens, *row.tokens])
        async for output in self._llm.generate(prompt, params, uuid.uuid4().hex):
            logprobs = output.outputs[0].logprobs[0]
        found = sorted(((v.logprob, t) for t, v in logprobs.items()), key=lambda p: (-p[0], p[1]))
        return Answer(
            output.outputs[0].token_ids[0],
            np.array([token for _, token in found]),
            np.array([logprob for logprob, _ in found], dtype=np.float32),
        )


class HuggingFaceBeams:
    """``generate`` of Hugging Face, constrained by ``prefix_allowed_tokens_fn``."""

    def __init__(self, model: Path, image_root: str | Path) -> None:
        self._model, self._processor = load_model(model)
        self._pixels = Pixels(self._processor)
        self._root = image_root

    def search(
        self, direction: Direction, query: str, walk: Walk, beam_width: int
    ) -> list[tuple[int, float]]:
        """``query``: a text, or the path of a picture below the image root."""
        (found,) = constrained_beams(
            self._model,
            self._processor,
            walk,
            [Query(direction, query, "")],
            self._root,
            self._pixels,
            beam_width,
        )
        return found
