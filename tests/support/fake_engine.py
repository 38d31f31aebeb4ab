"""A tiny engine for tests of HTTP and faults: its probabilities come from a hash."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from semcore.errors import EngineError
from semcore.walk import load_walk
from service.engine import Branch, Continuations, Picture, Prompt
from service.settings import Settings

END = 2


class FakeEngine:
    end = END

    def __init__(self, _model: Path, _settings: Settings) -> None:
        self.dead = False

    def prompt(self, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
        return Prompt(tuple(text.encode()), tuple(pictures))

    async def continue_branches(
        self, prompt: Prompt, branches: Sequence[Branch], walk: Path | None, count: int
    ) -> list[Continuations]:
        await self.check()
        assert walk is not None
        found = load_walk(walk)
        answers = []
        for branch in branches:
            tokens = found.allowed(branch.node).tolist()
            weights = [_weight(prompt, (*branch.tokens, token)) for token in tokens]
            total = sum(weights) * 2  # half of the probability is for tokens outside of the trie
            ranked = sorted(zip(weights, tokens, strict=True), key=lambda pair: (-pair[0], pair[1]))
            logprobs = [math.log(weight / total) for weight, _ in ranked]
            answers.append(Continuations([t for _, t in ranked][:count], logprobs[:count]))
        return answers

    async def judge(self, prompts: Sequence[Prompt]) -> list[float]:
        return [4 * _weight(prompt, ()) - 2 for prompt in prompts]

    async def check(self) -> None:
        if self.dead:
            raise EngineError("the inference engine has died (killed by a test); restart it")

    async def stop(self) -> None:
        self.dead = True


def _weight(prompt: Prompt, tokens: tuple[int, ...]) -> float:
    digest = hashlib.sha256(repr((prompt.tokens, tokens)).encode()).digest()
    return (1 + digest[0]) / 256
