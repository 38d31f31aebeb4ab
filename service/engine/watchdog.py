"""The watchdog: an engine that was asked and does not answer is found out, and so is a dead one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from semcore.errors import EngineError
from semcore.model.prompt import identifier_prompt
from service.beams.side import Side
from service.engine.protocol import Engine, Found, Picture, Prompt
from service.telemetry import metrics
from service.traffic.race import unless

_LOOKS = 10  # within the time after which an engine counts as stalled
_log = logging.getLogger("semcore")

Answer = TypeVar("Answer")


class WatchedEngine:
    """An engine, and how long it has owed an answer.

    Where it has for too long it is asked something small, since those who waited may have gone; if
    that is not answered either, the engine counts as stalled for good, and none waits any longer.
    """

    def __init__(self, engine: Engine, seconds: float, lost: Callable[[], None]) -> None:
        """
        Args:
            seconds: after which an engine that owes an answer is asked once more, and after which
                again it counts as stalled.
            lost: called once where the engine is stalled or dead.
        """
        self.engine = engine
        self._seconds = seconds
        self._lost = lost
        self._owes_since: float | None = None
        self._failure = ""
        self._failed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to watch; before, while it compiles, an engine may take its time."""
        self._task = asyncio.create_task(self._watch())

    def prompt(self, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
        return self.engine.prompt(text, pictures)

    def spell(self, identifier: str) -> list[int]:
        return self.engine.spell(identifier)

    def say(self, text: str) -> list[int]:
        return self.engine.say(text)

    def read(self, token: int) -> str:
        return self.engine.read(token)

    async def find(
        self,
        prompt: Prompt,
        side: Side,
        beam_width: int,
        *,
        constrained: bool,
        traced: bool = False,
    ) -> Found:
        return await self._asked(
            self.engine.find(prompt, side, beam_width, constrained=constrained, traced=traced)
        )

    async def judge(self, prompts: Sequence[Prompt]) -> list[float]:
        return await self._asked(self.engine.judge(prompts))

    async def choose(self, prompt: Prompt, count: int) -> list[float]:
        return await self._asked(self.engine.choose(prompt, count))

    async def weigh(self, prompt: Prompt, spelled: Sequence[Sequence[int]]) -> list[float]:
        return await self._asked(self.engine.weigh(prompt, spelled))

    async def weigh_each(
        self, prompts: Sequence[Prompt], spelled: Sequence[Sequence[int]]
    ) -> list[float]:
        return await self._asked(self.engine.weigh_each(prompts, spelled))

    async def check(self) -> None:
        """Raises :class:`EngineError` if the engine has died, or is stalled."""
        if self._failure:
            raise EngineError(self._failure)
        await self.engine.check()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await self.engine.stop()

    async def _asked(self, work: Awaitable[Answer]) -> Answer:
        if self._owes_since is None:
            self._owes_since = time.monotonic()
        answer = await unless(self._failed.wait(), work, lambda: EngineError(self._failure))
        self._owes_since = None
        return answer

    async def _watch(self) -> None:
        while not self._failure:
            await asyncio.sleep(self._seconds / _LOOKS)
            try:
                await self.engine.check()
                since = self._owes_since
                if since is not None and time.monotonic() - since > self._seconds:
                    await self._probe()
            except EngineError as error:
                self._failure = str(error)
        self._failed.set()
        metrics.READY.set(0)
        _log.critical("%s", self._failure)
        self._lost()

    async def _probe(self) -> None:
        prompt = self.engine.prompt(identifier_prompt("text-to-image", "alive"))
        try:
            async with asyncio.timeout(self._seconds):
                await self.engine.judge([prompt])
        except TimeoutError as error:
            raise EngineError(
                f"the inference engine has not answered for {2 * self._seconds:.0f} s; restart it"
            ) from error
        self._owes_since = None
