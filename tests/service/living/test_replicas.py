"""Replicas that share nothing but Redis and the bundle end up with the same items and index."""

import asyncio
import json
import random
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from asking import asked
from living import a_text, holds, new_item, running
from prometheus_client import REGISTRY
from redis_process import redis_server
from replicas import both, until

from cli.service_process import free_port
from semcore.clock import entry_of
from service.retrieval import Retrieval
from service.schemas.answer import SearchOptions

pytestmark = pytest.mark.usefixtures("empty_redis")

STREAM = "semcore:changes"


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
    async with both(few, tmp_path, redis_url) as (one, two):
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
        client = redis.Redis.from_url(redis_url)

        async def have_all_read() -> bool:
            (last, _), *_ = client.xrevrange(STREAM, count=1)
            read = {entry_of(retrieval._journal.read.position) for retrieval in (one, two)}
            return client.xlen(STREAM) == 4 and read == {last.decode()}

        async def agree() -> bool:
            mine, theirs = await one.item("shared"), await two.item("shared")
            return mine is not None and theirs is not None and mine[0] == theirs[0]

        await until(have_all_read)
        await until(agree)
        versions = [retrieval.lifecycle.current.snapshot.version for retrieval in (one, two)]
        assert versions[0] == versions[1]  # so that they share answers, and take cursors
        client.close()
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
    async with both(bundle, tmp_path, redis_url) as (one, two):
        await until(lambda: know_each_other(one))
        first = one.lifecycle.current.bundle.version
        done = await one.lifecycle.reload(smaller)
        assert one.replicas is not None
        await one.replicas.announce()

        async def has(version: str) -> bool:
            return two.lifecycle.current.bundle.version == version

        await until(lambda: has(done.index_version))
        await until(lambda: know_each_other(one))
        await one.lifecycle.rollback()
        await one.replicas.announce()
        await until(lambda: has(first))
        two.draining = True

        async def shown_as_not_ready() -> bool:
            assert one.replicas is not None
            return sorted(report.ready for report in await one.replicas.reports()) == [False, True]

        await until(shown_as_not_ready)


async def test_serves_on_without_redis(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "one", "redis://127.0.0.1:9") as one:
        await one.writer.add([new_item(random.Random(0), "alone")])
        assert await found(one)
        assert one.replicas is not None
        await one.replicas.announce()
        assert await one.replicas.reports() == []


async def test_stops_though_a_cancellation_is_lost(
    few: Path, tmp_path: Path, redis_url: str
) -> None:
    async def goes_on() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    async with running(few, tmp_path / "one", redis_url) as one:
        assert one.replicas is not None
        task = asyncio.create_task(goes_on())
        one.replicas._tasks.append(task)
        await asyncio.sleep(0)
    assert task.cancelled()


async def serves(retrieval: Retrieval, version: str) -> bool:
    return retrieval.lifecycle.current.bundle.version == version


async def know_each_other(one: Retrieval, number: int = 2) -> bool:
    assert one.replicas is not None
    return len(await one.replicas.reports()) == number


async def have_read(*all_of_them: Retrieval) -> bool:
    return all(
        one.replicas is not None and one.replicas.replication.read.is_set() for one in all_of_them
    )


async def untold(number: int) -> bool:
    return REGISTRY.get_sample_value("semcore_changes_untold") == number


async def test_what_could_not_be_told_is_told_once_redis_is_back(
    trained: Path, smaller: Path, tmp_path: Path
) -> None:
    bundle, port = trained / "bundle", free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with redis_server(port) as first:
        async with both(bundle, tmp_path, url) as (one, two):
            await until(lambda: know_each_other(one))
            await until(lambda: have_read(one, two))
            first.kill()
            first.wait()
            await one.writer.add([a_text("told late")])
            await one.lifecycle.reload(smaller)
            assert one.replicas is not None
            await one.replicas.announce()
            await until(lambda: untold(1))
            assert two.lifecycle.current.bundle.version != one.lifecycle.current.bundle.version
            with redis_server(port):
                await until(lambda: serves(two, one.lifecycle.current.bundle.version))
                await until(lambda: holds(two, "told late"))
                await until(lambda: untold(0))


async def test_a_connection_made_anew_asks_what_was_missed(
    trained: Path, smaller: Path, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, client = trained / "bundle", redis.Redis.from_url(redis_url)

    asked_before = 0

    async def listening() -> bool:
        return bool(client.pubsub_numsub("semcore:index")[0][1] == 2)

    def lookups() -> int:
        return int(client.info("commandstats")["cmdstat_get"]["calls"])

    async def all_have_asked() -> bool:
        return lookups() >= asked_before + 2

    async with both(bundle, tmp_path, redis_url) as (one, two):
        await until(listening)
        assert one.replicas is not None
        first = one.lifecycle.current.bundle.version
        second = (await one.lifecycle.reload(smaller)).index_version
        await one.replicas.announce()
        await until(lambda: serves(two, second))

        # Who knows what was announced last keeps what was loaded since.
        await two.lifecycle.rollback()
        asked_before = lookups()
        client.client_kill_filter(_type="pubsub")
        await until(all_have_asked)
        assert await serves(two, first)
        await two.lifecycle.rollback()

        async def unheard(*_: object) -> None:
            pass

        # Older than the current one, and not heard as it was announced.
        monkeypatch.setattr(one.replicas._redis, "publish", unheard)
        await one.lifecycle.rollback()
        await one.replicas.announce()
        client.client_kill_filter(_type="pubsub")
        await until(lambda: serves(two, first))
    client.close()


async def test_of_two_reloads_at_a_time_all_serve_the_one_announced_last(
    trained: Path, smaller: Path, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = trained / "bundle"
    async with both(bundle, tmp_path, redis_url) as (one, two):
        await until(lambda: know_each_other(one))
        assert one.replicas is not None
        assert two.replicas is not None
        first, others = two.lifecycle.current.bundle.version, two.replicas
        serve = two.lifecycle.serve
        served: list[str] = []

        async def outrun(path: Path, version: str) -> None:
            if not served:
                await others.announce()  # as where it has loaded its own just now
            served.append(version)
            await serve(path, version)

        monkeypatch.setattr(two.lifecycle, "serve", outrun)
        second = (await one.lifecycle.reload(smaller)).index_version
        await one.replicas.announce()

        async def settled() -> bool:
            return served == [second, first] and await serves(two, first)

        await until(settled)
        await until(lambda: serves(one, first))


async def test_goes_on_after_an_unforeseen_error(
    trained: Path, smaller: Path, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = trained / "bundle"
    async with both(bundle, tmp_path, redis_url) as (one, two):
        await until(lambda: know_each_other(one))
        serve, failures = two.lifecycle.serve, [TypeError("odd")]

        async def failing(path: Path, version: str) -> None:
            if failures:
                raise failures.pop()
            await serve(path, version)

        monkeypatch.setattr(two.lifecycle, "serve", failing)
        assert one.replicas is not None
        second = (await one.lifecycle.reload(smaller)).index_version
        await one.replicas.announce()
        await until(lambda: serves(two, second))
        assert not failures
