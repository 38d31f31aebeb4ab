"""Replicas that share nothing but Redis and the bundle end up with the same items and index."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis
from asking import asked
from living import new_item, running

from service.answer import SearchOptions
from service.retrieval import Retrieval


@pytest.fixture(autouse=True)
def empty(redis_url: str) -> None:
    redis.Redis.from_url(redis_url).flushall()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(300):
        if await condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("that never came")


async def found(retrieval: Retrieval) -> set[str]:
    ids = set()
    for query in ("a boat", "two dogs"):
        options = SearchOptions(top_k=100, beam_width=100, verify="never")
        answer = json.loads(await asked(retrieval, "text-to-image", query, options))
        ids |= {item["id"] for item in answer["items"]}
    return ids


async def same(one: Retrieval, other: Retrieval) -> bool:
    return await found(one) == await found(other)


async def test_items_reach_all_replicas(few: Path, tmp_path: Path, redis_url: str) -> None:
    rng = random.Random(0)
    async with (
        running(few, tmp_path / "one", redis_url) as one,
        running(few, tmp_path / "two", redis_url) as two,
    ):
        before = await found(one)
        gone = sorted(before)[0]
        picture = new_item(rng, "shared").model_copy(update={"kind": "text", "image": None})
        while picture.kind == "text":
            picture = new_item(rng, "shared")
        await one.writer.add([picture])
        await two.writer.delete(gone)
        expected = before - {gone} | {"shared"}
        for retrieval in (one, two):

            async def has_all(retrieval: Retrieval = retrieval) -> bool:
                return await found(retrieval) == expected

            await until(has_all)
        item = await two.item("shared")
        assert item is not None
        assert item[1] is not None
        assert item[1].is_file()
        # Both change the same item at the same time: they agree in the end.
        options = [new_item(rng, "shared") for _ in range(2)]
        await asyncio.gather(one.writer.add(options[:1]), two.writer.add(options[1:]))
        await asyncio.sleep(2)
        mine, theirs = await one.item("shared"), await two.item("shared")
        assert mine is not None
        assert theirs is not None
        assert mine[0] == theirs[0]
    # One that was away catches up, and one without a journal gets everything.
    async with running(few, tmp_path / "one", redis_url) as one:
        await one.writer.add([new_item(rng, f"later {n}") for n in range(3)])
        await asyncio.sleep(1)
        async with (
            running(few, tmp_path / "two", redis_url) as two,
            running(few, tmp_path / "three", redis_url) as three,
        ):
            await until(lambda: same(one, two))
            await until(lambda: same(one, three))


async def test_an_index_is_announced(
    trained: Path, smaller: Path, tmp_path: Path, redis_url: str
) -> None:
    bundle = trained / "bundle"
    async with (
        running(bundle, tmp_path / "one", redis_url) as one,
        running(bundle, tmp_path / "two", redis_url) as two,
    ):
        await asyncio.sleep(0.5)
        first = one.lifecycle.current.version
        done = await one.lifecycle.reload(smaller)
        assert one.replicas is not None
        await one.replicas.announce()

        async def has(version: str) -> bool:
            return two.lifecycle.current.version == version

        await until(lambda: has(done.index_version))
        reports = await one.replicas.reports()
        assert len(reports) == 2
        await one.lifecycle.rollback()
        await one.replicas.announce()
        await until(lambda: has(first))


async def test_serves_on_without_redis(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "one", "redis://127.0.0.1:9") as one:
        await one.writer.add([new_item(random.Random(0), "alone")])
        assert await found(one)
        assert one.replicas is not None
        await one.replicas.announce()
        assert await one.replicas.reports() == []
