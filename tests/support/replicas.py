"""Replicas on the fake engine that share Redis, and what each of them holds."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from asking import asked
from living import running
from PIL import Image

from service.retrieval import Retrieval
from service.schemas.answer import SearchOptions


@asynccontextmanager
async def both(
    bundle: Path, folder: Path, redis_url: str
) -> AsyncIterator[tuple[Retrieval, Retrieval]]:
    """Two replicas on a bundle, with journals of their own below ``folder``."""
    pictures = folder / "pictures"
    async with (
        running(bundle, folder / "one", redis_url, pictures=pictures) as one,
        running(bundle, folder / "two", redis_url, pictures=pictures) as two,
    ):
        yield one, two


def replica(
    bundle: Path, journal: Path, redis_url: str | None = None
) -> AbstractAsyncContextManager[Retrieval]:
    """One that shares its pictures; no canary refuses what the fake engine finds by chance."""
    pictures = journal.with_name("pictures")
    return running(bundle, journal, redis_url, pictures=pictures, canary_margin=1.0)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("that never came")


async def in_step(*replicas: Retrieval) -> None:
    """Wait until all have told and read everything, and see that they say so in one word."""

    async def settled() -> bool:
        versions = {one.lifecycle.current.snapshot.version for one in replicas}
        return len(versions) == 1 and not any(one._journal.count_untold() for one in replicas)

    await until(settled)


async def texts(retrieval: Retrieval) -> dict[str, str]:
    """All texts that can be found, by id."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    options = SearchOptions(top_k=100, beam_width=100, verify="never")
    answer = json.loads(await asked(retrieval, "image-to-text", picture.getvalue(), options))
    return {item["id"]: item["text"] for item in answer["items"]}


async def reload(bundle: Path, first: Retrieval, *others: Retrieval) -> None:
    await first.lifecycle.reload(bundle)
    assert first.replicas is not None
    await first.replicas.announce()
    version = first.lifecycle.current.bundle.version

    async def follow() -> bool:
        return all(one.lifecycle.current.bundle.version == version for one in others)

    await until(follow)
