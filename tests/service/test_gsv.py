"""Verification shows the candidates in order and gives probabilities."""

import math
from pathlib import Path

import pytest
from PIL import Image

from semcore.prompt import IMAGE
from service.engine import Picture, Prompt
from service.gsv import verify
from service.index import Index


class Choosing:
    """An engine that remembers the prompt and prefers the second candidate."""

    def __init__(self) -> None:
        self.text = ""
        self.pictures: list[Picture] = []

    def prompt(self, text: str, pictures: list[Picture]) -> Prompt:
        self.text, self.pictures = text, pictures
        return Prompt(())

    async def choose(self, _: Prompt, candidates: int) -> list[float]:
        return [0.0 if place == 1 else -2.0 for place in range(candidates)]


async def test_compares_pictures_with_a_text(trained: Path) -> None:
    index, engine = Index(trained / "bundle"), Choosing()
    items = list(index.store.of_split("test", "image"))[:3]
    found = await verify(engine, index, "text-to-image", "two boats", items)
    assert found == pytest.approx([math.exp(-2) / (1 + 2 * math.exp(-2)), 0.787, 0.107], abs=1e-3)
    assert sum(found) == pytest.approx(1.0)
    assert [picture.key.split(":")[1] for picture in engine.pictures] == [i.id for i in items]
    assert engine.text.index("two boats") < engine.text.index(IMAGE)
    assert engine.text.count(IMAGE) == 3
    index.close()


async def test_compares_texts_with_a_picture(trained: Path) -> None:
    index, engine = Index(trained / "bundle"), Choosing()
    items = list(index.store.of_split("test", "text"))[:3]
    query = Picture(Image.new("RGB", (8, 8)), "query")
    assert await verify(engine, index, "image-to-text", query, items)
    assert engine.pictures == [query]
    places = [engine.text.index(item.caption) for item in items]
    assert places == sorted(places)
    index.close()


async def test_needs_two_candidates_with_their_pictures(trained: Path, tmp_path: Path) -> None:
    index = Index(trained / "bundle")
    items = list(index.store.of_split("test", "image"))[:3]
    assert await verify(Choosing(), index, "text-to-image", "a boat", items[:1]) is None
    index.close()
    bare = Index(trained / "bundle", image_root=tmp_path)
    assert await verify(Choosing(), bare, "text-to-image", "a boat", items) is None
    bare.close()
