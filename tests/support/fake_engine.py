"""A tiny engine for tests of HTTP and faults: its probabilities come from a hash."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semcore.errors import EngineError
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.tokens import IdentifierTokenizer, end_token, load_tokenizer
from semcore.trie.layers import Layers
from service.beams.beam_search import Answer, BeamSearch, Row
from service.beams.side import Side
from service.engine.protocol import Found, Picture, Prompt
from service.settings import Settings


class FakeEngine:
    def __init__(self, model: Path, _settings: Settings) -> None:
        self._tokenizer = load_tokenizer(model)
        self._spelling = IdentifierTokenizer(self._tokenizer)
        self.dead = False
        self.seconds_a_beam = 0.0
        self.held: asyncio.Event | None = None  # until which searches take
        self.under_way = 0

    def prompt(self, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
        return Prompt(tuple(text.encode()), tuple(pictures))

    def spell(self, identifier: str) -> list[int]:
        return self._spelling.tokens(Identifier.parse(identifier))

    def say(self, text: str) -> list[int]:
        return list(text.encode())

    def read(self, token: int) -> str:
        return "" if token == end_token(self._tokenizer) else self._tokenizer.decode([token])

    async def find(
        self,
        prompt: Prompt,
        side: Side,
        beam_width: int,
        *,
        constrained: bool,
        traced: bool = False,
    ) -> Found:
        await self.check()
        self.under_way += 1
        try:
            await asyncio.sleep(self.seconds_a_beam * beam_width)
            if self.held is not None:
                await self.held.wait()
        finally:
            self.under_way -= 1
        beams = BeamSearch(
            side.layers, beam_width, constrained=constrained, traced=traced, stepwise=True
        )
        while beams.rows:
            rows = beams.rows.items()
            beams.advance({number: _answer(prompt, side.layers, row) for number, row in rows})
        return Found(beams.beams, trail=beams.trail)

    async def judge(self, prompts: Sequence[Prompt]) -> list[float]:
        return [4 * _weight(prompt, ()) - 2 for prompt in prompts]

    async def choose(self, prompt: Prompt, count: int) -> list[float]:
        return [float(np.log(_weight(prompt, (letter,)))) for letter in range(count)]

    async def weigh(self, prompt: Prompt, spelled: Sequence[Sequence[int]]) -> list[float]:
        return [float(np.log(_weight(prompt, tuple(tokens)))) for tokens in spelled]

    async def weigh_each(
        self, prompts: Sequence[Prompt], spelled: Sequence[Sequence[int]]
    ) -> list[float]:
        told = [
            await self.weigh(prompt, [tokens])
            for prompt, tokens in zip(prompts, spelled, strict=True)
        ]
        return [one for (one,) in told]

    async def check(self) -> None:
        if self.dead:
            raise EngineError("the inference engine has died (killed by a test); restart it")

    async def stop(self) -> None:
        self.dead = True


def _answer(prompt: Prompt, layers: Layers, row: Row) -> Answer:
    """Half of the probability is for tokens outside of the trie."""
    tokens = layers.allowed(row.positions)
    weights = np.array([_weight(prompt, (*row.tokens, token)) for token in tokens.tolist()])
    order = np.argsort(-weights, kind="stable")
    logprobs = np.log(weights[order] / weights.sum() / 2)
    return Answer(int(tokens[order[0]]), tokens[order], logprobs.astype(np.float32))


def _weight(prompt: Prompt, tokens: tuple[int, ...]) -> float:
    digest = hashlib.sha256(repr((prompt.tokens, tokens)).encode()).digest()
    return (1 + digest[0]) / 256
