"""Verification judges each candidate and weighs that with what the beams found."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from semcore.calibration import Calibration
from service.engine import Picture, Prompt
from service.errors import InvalidQueryError
from service.gsv import verify
from service.index import Index
from service.stopwatch import Stopwatch

WEIGHTS = Calibration(prior=0.5, evidence=1.0)


class Judging:
    """An engine that remembers the prompts and says yes to the second candidate only."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.pictures: list[Picture] = []

    def prompt(self, text: str, pictures: list[Picture]) -> Prompt:
        self.texts.append(text)
        self.pictures += pictures
        return Prompt(())

    async def judge(self, prompts: Sequence[Prompt]) -> list[float]:
        return [2.0 if place == 1 else 0.0 for place in range(len(prompts))]


async def too_long(prompts: Sequence[Prompt]) -> list[float]:
    raise InvalidQueryError("too long")


async def test_judges_pictures_by_a_text(trained: Path) -> None:
    index, engine = Index(trained / "bundle"), Judging()
    items = list(index.store.of_split("test", "image"))[:3]
    found = await verify(
        engine, index.snapshot, "two boats", items, [-1.0, -2.0, -3.0], WEIGHTS, Stopwatch()
    )
    weights = [math.exp(-0.5), math.exp(-1 + 2), math.exp(-1.5)]
    assert found is not None
    assert [one.probability for one in found] == pytest.approx([w / sum(weights) for w in weights])
    assert [one.odds for one in found] == [0.0, 2.0, 0.0]
    assert [picture.key.split(":")[1] for picture in engine.pictures] == [i.id for i in items]
    assert all("two boats" in text for text in engine.texts)
    index.close()


async def test_judges_texts_by_a_picture(trained: Path) -> None:
    index, engine = Index(trained / "bundle"), Judging()
    items = list(index.store.of_split("test", "text"))[:3]
    query = Picture(Image.new("RGB", (8, 8)), "query")
    assert await verify(engine, index.snapshot, query, items, [-1.0] * 3, WEIGHTS, Stopwatch())
    assert engine.pictures == [query] * 3
    for item, text in zip(items, engine.texts, strict=True):
        assert item.caption in text
    index.close()


async def test_needs_two_candidates_with_their_pictures(trained: Path, tmp_path: Path) -> None:
    index = Index(trained / "bundle")
    items = list(index.store.of_split("test", "image"))[:3]
    assert (
        await verify(Judging(), index.snapshot, "a boat", items[:1], [-1.0], WEIGHTS, Stopwatch())
        is None
    )
    index.close()
    engine = Judging()
    engine.judge = too_long  # type: ignore[method-assign]
    index = Index(trained / "bundle")
    assert (
        await verify(engine, index.snapshot, "a boat", items, [-1.0] * 3, WEIGHTS, Stopwatch())
        is None
    )
    index.close()
    bare = Index(trained / "bundle", image_root=tmp_path)
    assert (
        await verify(Judging(), bare.snapshot, "a boat", items, [-1.0] * 3, WEIGHTS, Stopwatch())
        is None
    )
    bare.close()
