"""No engine: of an index that was not trained, which its guide alone searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from semcore.errors import EngineError
from service.beams.side import Side
from service.engine.protocol import Found, Picture, Prompt


class NoEngine:
    """Answers nothing, and is always well."""

    def prompt(self, _text: str, _pictures: Sequence[Picture] = ()) -> Prompt:
        _refuse()

    def spell(self, _identifier: str) -> list[int]:
        _refuse()

    def say(self, _text: str) -> list[int]:
        _refuse()

    def read(self, _token: int) -> str:
        _refuse()

    async def find(
        self,
        _prompt: Prompt,
        _side: Side,
        _beam_width: int,
        *,
        constrained: bool,
        traced: bool = False,
    ) -> Found:
        _refuse()

    async def judge(self, _prompts: Sequence[Prompt]) -> list[float]:
        _refuse()

    async def choose(self, _prompt: Prompt, _count: int) -> list[float]:
        _refuse()

    async def weigh(self, _prompt: Prompt, _spelled: Sequence[Sequence[int]]) -> list[float]:
        _refuse()

    async def weigh_each(
        self, _prompts: Sequence[Prompt], _spelled: Sequence[Sequence[int]]
    ) -> list[float]:
        _refuse()

    async def check(self) -> None:
        return

    async def stop(self) -> None:
        return


def _refuse() -> NoReturn:
    raise EngineError("the index has no model; run 'semcore train' on it, and serve it again")
