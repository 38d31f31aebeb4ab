"""Replicas that share nothing but Redis and the bundle end up with the same items and index."""

import asyncio
import json
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from asking import asked
from living import new_item, running
from prometheus_client import REGISTRY
from redis_process import redis_server

from cli.service_process import free_port
from semcore.clock import entry_of, position_of
from semcore.journal.change import Change, ToldChange
from service.retrieval import Retrieval
from service.schemas.admin import NewItem
from service.schemas.answer import SearchOptions


@pytest.fixture(autouse=True)
def empty(redis_url: str) -> None:
    redis.Redis.from_url(redis_url).flushall()


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


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if await condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("that never came")


def a_text(item_id: str) -> NewItem:
    return NewItem(id=item_id, kind="text", captions=["two dogs in the snow"])


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
            (last, _), *_ = client.xrevrange("semcore:changes", count=1)
            read = {entry_of(retrieval._journal.read.position) for retrieval in (one, two)}
            return client.xlen("semcore:changes") == 4 and read == {last.decode()}

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


async def holds(retrieval: Retrieval, item_id: str) -> bool:
    return await retrieval.item(item_id) is not None


async def lacks(retrieval: Retrieval, item_id: str) -> bool:
    return not await holds(retrieval, item_id)


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


async def test_what_was_not_told_yet_is_not_undone(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        journal, follow = retrieval._journal, retrieval.writer.follow
        at = [position_of(1, f"{number}-0") for number in range(5)]
        await retrieval.writer.add([a_text("mine"), a_text("other")])
        (_, mine), (_, other) = journal.untold(2)
        await retrieval.writer.delete("mine")
        theirs = Change("theirs", other.entry and other.entry.model_copy(update={"id": "theirs"}))
        told = [
            ToldChange(journal.name, 1, at[1], at[1], mine),
            ToldChange(journal.name, 2, at[2], at[2], other),
            ToldChange("another", 1, at[3], at[3], theirs),
        ]
        await follow(told, at[3])
        assert await lacks(retrieval, "mine")
        assert await holds(retrieval, "other")
        assert await holds(retrieval, "theirs")
        # Once it was told, what follows in the stream is later.
        journal.tell(3, at[3])
        await follow([ToldChange("another", 2, at[4], at[4], mine)], at[4])
        assert await holds(retrieval, "mine")


async def test_what_comes_after_a_change_on_its_way_is_not_left_out(
    few: Path, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, noted = redis.Redis.from_url(redis_url), threading.Event()
    async with both(few, tmp_path, redis_url) as (one, two):
        tell = one._journal.tell

        def late(number: int, position: str | None) -> None:
            noted.wait(60)
            tell(number, position)

        async def told(number: int) -> bool:
            return bool(client.xlen("semcore:changes") == number)

        monkeypatch.setattr(one._journal, "tell", late)
        await one.writer.add([a_text("short-lived")])
        await until(lambda: holds(two, "short-lived"))
        await two.writer.delete("short-lived")
        await until(lambda: told(2))
        await asyncio.sleep(0.5)  # for it to be read
        noted.set()
        await until(lambda: lacks(one, "short-lived"))
        assert await lacks(two, "short-lived")
    client.close()


@asynccontextmanager
async def losing_the_first_answer(
    redis_url: str, meanwhile: Callable[[], Awaitable[None]]
) -> AsyncIterator[str]:
    """The URL of a way to Redis on which the answer to the first entry of the stream is lost, once
    ``meanwhile`` is done."""
    loses, serving = True, set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal loses
        serving.add(asyncio.current_task())
        answers, onward = await asyncio.open_connection("127.0.0.1", urlsplit(redis_url).port)

        async def answer() -> None:
            while content := await answers.read(2**16):
                writer.write(content)

        answering = asyncio.create_task(answer())
        while content := await reader.read(2**16):
            last = loses and b"EVALSHA" in content and b"short-lived" in content
            if last:
                loses = False
                answering.cancel()
            onward.write(content)
            if last:
                await meanwhile()
                break
        answering.cancel()
        for end in (onward, writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()
    await asyncio.gather(*serving)


async def test_what_was_told_is_not_told_again_where_the_answer_was_lost(
    few: Path, tmp_path: Path, redis_url: str
) -> None:
    client, lost = redis.Redis.from_url(redis_url), asyncio.Event()

    async def told(number: int) -> bool:
        return bool(client.xlen("semcore:changes") == number)

    async def meanwhile() -> None:
        await until(lambda: holds(two, "short-lived"))
        await two.writer.delete("short-lived")
        await until(lambda: told(2))
        lost.set()

    async with (
        losing_the_first_answer(redis_url, meanwhile) as lossy,
        running(few, tmp_path / "one", lossy) as one,
        running(few, tmp_path / "two", redis_url) as two,
    ):
        await one.writer.add([a_text("short-lived")])
        await asyncio.wait_for(lost.wait(), 60)
        await one.writer.add([a_text("later")])
        await until(lambda: holds(two, "later"))
        assert await lacks(two, "short-lived")
        await until(lambda: lacks(one, "short-lived"))
        assert await told(3)
    client.close()
