"""What the guide says of one search: the cosines between the query and items."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from torch import Tensor

from service.beams.side import Side
from service.engine.protocol import Picture
from service.guide.cosines import Cosines, Numbers, all_cosines
from service.guide.nearest import nearest
from service.index.lookup import in_threads
from service.index.snapshot import Snapshot
from service.telemetry.stopwatch import Stopwatch
from service.traffic.deadline import Deadline

_THREADS = 2
_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="guide")


@dataclass(frozen=True, slots=True)
class Guidance:
    """The vector of a query, and the items that it may find.

    Attributes:
        vector: float32 [dimension], unit length.
    """

    snapshot: Snapshot
    side: Side
    vector: Cosines

    async def nearest(self, most: int) -> tuple[Numbers, Cosines]:
        """The best, best first: see :func:`service.guide.nearest.nearest`. None of many items that
        are in no cells."""
        visible = self.side.visible
        if visible is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        return await in_threads(_threads, nearest, self.snapshot, visible, self.vector, most)

    async def cosines(self, numbers: Numbers) -> Cosines:
        """The cosines of items, float32 [len(numbers)]."""
        return await in_threads(_threads, all_cosines, self.snapshot, numbers, self.vector)


async def guidance(snapshot: Snapshot, side: Side, query: str | Picture) -> Guidance | None:
    """None where the index has no guide, or one that does not see the picture that asks.

    Raises:
        BundleError, ModelError: see :attr:`service.index.open_bundle.OpenBundle.guide`.
    """
    if not snapshot.has_guide:
        return None
    vector = await in_threads(_threads, _encoded, snapshot, query)
    return None if vector is None else Guidance(snapshot, side, vector)


async def timed_guidance(
    snapshot: Snapshot, side: Side, query: str | Picture, watch: Stopwatch, deadline: Deadline
) -> tuple[Guidance | None, bool]:
    """The same, timed, and whether there was time for it."""
    began = watch.elapsed
    try:
        async with asyncio.timeout(deadline.left):
            return await guidance(snapshot, side, query), True
    except TimeoutError:
        return None, False
    finally:
        watch.add("guide", began, watch.elapsed - began)


async def looked_at(
    snapshot: Snapshot, query: str | Picture, watch: Stopwatch, deadline: Deadline
) -> str | Picture:
    """The query; a picture with its features, where guide and engine both see it by the model's
    vision side, so that this sees it once. Where there is no time for that it is left as it is.

    Raises:
        BundleError, ModelError: see :attr:`service.index.open_bundle.OpenBundle.guide`.
    """
    if isinstance(query, str) or query.image is None or not snapshot.has_guide:
        return query
    try:
        with watch.span("tokenise"), watch.span("tokenise/see"):
            async with asyncio.timeout(deadline.left):
                features = await in_threads(_threads, _features, snapshot, query.image)
    except TimeoutError:
        return query
    return replace(query, features=features)


async def no_guidance() -> tuple[None, bool]:
    """A search without the guide asks for nothing."""
    return None, True


def _encoded(snapshot: Snapshot, query: str | Picture) -> Cosines | None:
    guide = snapshot.guide
    assert guide is not None
    if isinstance(query, str):
        return np.asarray(guide.encode_texts([query])[0])
    if not guide.sees or query.image is None:
        return None
    if query.features is not None:
        return np.asarray(guide.encode_features(query.features[None])[0])
    return np.asarray(guide.encode_images([query.image])[0])


def _features(snapshot: Snapshot, image: Image.Image) -> Tensor | None:
    assert snapshot.guide is not None
    vision = snapshot.guide.vision
    return None if vision is None else vision([image])[0]
