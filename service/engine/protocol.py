"""What a search asks of the model, whatever engine runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image
from torch import Tensor

from semcore.trie.layers import Positions
from service.beams.beam_search import Beam
from service.beams.side import Side


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture; ``key`` names its content.

    Attributes:
        tokens: what the language model is shown of it, float [tokens, hidden], where that is known.
        features: what the vision side of the index's model has made of it, float32 [tokens,
            channels], where it has been seen for the guide already.
    """

    image: Image.Image | None
    key: str
    tokens: Tensor | None = None
    features: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids, with one placeholder token an image, and the images in order."""

    tokens: tuple[int, ...]
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds of one step of the beams, of which ``merge`` went into choosing the next rows, and
    ``masks`` into the walk for the whole batch (0 where the model has a process of its own)."""

    seconds: float
    masks: float
    merge: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a beam search found, best first, and how it went.

    Attributes:
        queued: seconds that the search waited for a place in the batch.
        steps: the first one reads the query.
        trail: where the beams that went on were after each step, of a search that was traced,
            whose beams have their choices, too.
    """

    beams: list[Beam]
    queued: float = 0.0
    steps: Sequence[Step] = ()
    trail: Sequence[Sequence[Positions]] = ()


_SHORT = 500  # characters of a prompt, read sooner than another thread begins


class Engine(Protocol):
    """What a search needs of a model."""

    def prompt(self, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
        """Tokenise a prompt whose placeholders stand for ``pictures``."""
        ...

    def spell(self, identifier: str) -> list[int]:
        """The tokens of an identifier, the end token included."""
        ...

    def say(self, text: str) -> list[int]:
        """The tokens of a text as an answer in prose, the end token included; of a long text those
        of its beginning."""
        ...

    def read(self, token: int) -> str:
        """A token as text, with the space before it; nothing for the end token."""
        ...

    async def find(
        self,
        prompt: Prompt,
        side: Side,
        beam_width: int,
        *,
        constrained: bool,
        traced: bool = False,
    ) -> Found:
        """The likeliest identifiers of one kind of item (paper 3.2.3).

        Unless ``constrained``, all tokens are allowed, and what was spelled is looked up
        afterwards.
        """
        ...

    async def judge(self, prompts: Sequence[Prompt]) -> list[float]:
        """For each verification prompt the log-odds of the answer Yes."""
        ...

    async def choose(self, prompt: Prompt, count: int) -> list[float]:
        """After a list prompt of so many candidates the log-probability of each one's letter."""
        ...

    async def weigh(self, prompt: Prompt, spelled: Sequence[Sequence[int]]) -> list[float]:
        """The log-probability of each sequence of tokens after a prompt."""
        ...

    async def weigh_each(
        self, prompts: Sequence[Prompt], spelled: Sequence[Sequence[int]]
    ) -> list[float]:
        """The log-probability of a sequence of tokens after each prompt."""
        ...

    async def check(self) -> None:
        """Raises :class:`EngineError` if the engine has died."""
        ...

    async def stop(self) -> None: ...


async def prompt_aside(engine: Engine, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
    """A prompt as :meth:`Engine.prompt` makes it; of a long text beside the event loop."""
    if len(text) <= _SHORT:
        return engine.prompt(text, pictures)
    return await asyncio.to_thread(engine.prompt, text, pictures)
