"""The engine is asked for each identifier once, however many are kept and whoever else asks."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from service.engine.protocol import Prompt
from service.search.commonness import Commonness
from service.settings import Settings

NAMES = ["<g1> boat red", "<g1> boat", "<g2> dog"]


class Counting(FakeEngine):
    asked = 0

    async def weigh(self, prompt: Prompt, spelled: Sequence[Sequence[int]]) -> list[float]:
        self.asked += len(spelled)
        return await super().weigh(prompt, spelled)


async def test_each_is_asked_for_once(trained: Path) -> None:
    engine = Counting(trained / "model", Settings())
    common = Commonness(engine)
    first = await common.of("image", [*NAMES, NAMES[0]])
    assert engine.asked == 3
    assert first[0] == first[3]
    assert await common.of("image", NAMES[::-1]) == first[2::-1]
    assert engine.asked == 3
    # The other kind of item is asked for in other words.
    assert await common.of("text", NAMES) != first[:3]
    assert engine.asked == 6


async def test_texts_are_no_identifiers(trained: Path) -> None:
    engine = Counting(trained / "model", Settings())
    common = Commonness(engine)
    texts = ["a red  boat", "<g1> boat", "a red boat"]
    first = await common.of_texts(texts)
    assert engine.asked == 2  # as they are put to the model two of them are one
    assert first[0] == first[2]
    assert await common.of_texts(texts[:2]) == first[:2]
    assert await common.of("text", texts[1:2]) != first[1:2]
    assert engine.asked == 3


class Interrupted(FakeEngine):
    """While it weighs for one search, another one comes and goes."""

    other: Callable[[], Awaitable[object]] | None = None

    async def weigh(self, prompt: Prompt, spelled: Sequence[Sequence[int]]) -> list[float]:
        other, self.other = self.other, None
        if other is not None:
            await other()
        return await super().weigh(prompt, spelled)


async def test_what_was_known_is_not_lost_meanwhile(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Interrupted(trained / "model", Settings())
    expected = await Commonness(engine).of("image", NAMES)
    monkeypatch.setattr("service.search.commonness._KEPT", 2)
    common = Commonness(engine)
    await common.of("image", NAMES[:1])
    engine.other = lambda: common.of("image", ["<g3> cat", "<g4> tree"])
    assert await common.of("image", NAMES) == expected
    assert len(common._known) == 2
