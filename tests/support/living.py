"""Services on the fake engine whose items change, and items to change them with."""

import io
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fake_engine import FakeEngine
from PIL import Image

from service.retrieval import Retrieval
from service.schemas.admin import NewItem
from service.settings import Settings

WORDS = ("red", "blue", "green", "boat", "house", "dog", "tree", "night", "snow", "two", "three")


@asynccontextmanager
async def running(
    bundle: Path, journal: Path, redis_url: str | None = None, **settings: Any
) -> AsyncIterator[Retrieval]:
    chosen = Settings(bundle=bundle, journal=journal, redis_url=redis_url, **settings)
    retrieval = Retrieval(chosen, FakeEngine)
    await retrieval.start()
    try:
        yield retrieval
    finally:
        await retrieval.stop()


def metadata(rng: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rng.random() < 0.8:
        found["year"] = rng.randrange(1990, 1995)
    if rng.random() < 0.6:
        found["tags"] = rng.sample(["a", "b", "c"], rng.randrange(1, 3))
    return found


def new_item(rng: random.Random, item_id: str) -> NewItem:
    kind = rng.choice(["image", "text"])
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (rng.randrange(256), 0, 0)).save(picture, "PNG")
    captions = [" ".join(rng.sample(WORDS, 5)) for _ in range(1 if kind == "text" else 2)]
    return NewItem.model_construct(
        id=item_id,
        kind=kind,
        captions=captions,
        image=picture.getvalue() if kind == "image" else None,
        pair=None,
        metadata=metadata(rng),
    )


def a_text(item_id: str, words: str = "two dogs in the snow") -> NewItem:
    return NewItem(id=item_id, kind="text", captions=[words])


async def holds(retrieval: Retrieval, item_id: str) -> bool:
    return await retrieval.item(item_id) is not None


async def lacks(retrieval: Retrieval, item_id: str) -> bool:
    return not await holds(retrieval, item_id)
