"""Generative semantic verification: the model compares the candidates and names the best."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from PIL import Image

from semcore.identifier import Identifier
from semcore.item import Item
from semcore.prompt import Direction, verification_prompt
from service.engine import Engine, Picture
from service.index import Index


async def verify(
    engine: Engine,
    index: Index,
    direction: Direction,
    query: str | Picture,
    candidates: Sequence[Item],
) -> list[float] | None:
    """Probability of each candidate to be the best match (paper 3.3); they add up to one.

    None where there is nothing to compare: fewer than two candidates, or a picture of one is gone.
    """
    if len(candidates) < 2:
        return None
    keywords = [Identifier.parse(item.identifier).lexical_id for item in candidates]
    if isinstance(query, Picture):
        texts = [item.caption for item in candidates]
        text = verification_prompt(direction, keywords, texts)
        prompt = engine.prompt(text, [query])
    else:
        pictures = await asyncio.gather(
            *(asyncio.to_thread(_picture, index, item) for item in candidates)
        )
        shown = [picture for picture in pictures if picture is not None]
        if len(shown) < len(pictures):
            return None
        prompt = engine.prompt(verification_prompt(direction, keywords, (), query), shown)
    return _softmax(await engine.choose(prompt, len(candidates)))


def _picture(index: Index, item: Item) -> Picture | None:
    path = index.image_path(item)
    if path is None:
        return None
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except OSError:
        return None
    return Picture(image, f"{index.version}:{item.id}")


def _softmax(logprobs: Sequence[float]) -> list[float]:
    highest = max(logprobs)
    weights = [math.exp(logprob - highest) for logprob in logprobs]
    return [weight / sum(weights) for weight in weights]
