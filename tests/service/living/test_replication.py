"""Replicas hold the same items, and one that may lack some says so."""

import asyncio
import io
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from living import a_text, holds, lacks, running
from manifests import copied
from PIL import Image
from prometheus_client import REGISTRY
from replicas import both, in_step, replica, texts, until

from offline.bundle.compaction import compact_bundle
from service.errors import NotReadyError, ReloadError
from service.schemas.admin import NewItem

pytestmark = pytest.mark.usefixtures("empty_redis")

STREAM = "semcore:changes"


@pytest.fixture
def bundle(few: Path, tmp_path: Path) -> Path:
    return copied(few, tmp_path / "bundle")


async def test_a_new_replica_that_lacks_changes_is_not_ready(
    few: Path, bundle: Path, tmp_path: Path, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = redis.Redis.from_url(redis_url)
    async with replica(bundle, tmp_path / "one", redis_url) as one:
        gone = next(iter(one.lifecycle.current.bundle.store)).id
        await one.writer.delete(gone)
        for number in range(20):
            await one.writer.add([a_text(f"item {number}")])
        await in_step(one)
        # With all of the stream it has everything.
        async with replica(bundle, tmp_path / "two", redis_url) as two:
            await two.check_ready()
            assert await texts(two) == await texts(one)
            assert not await holds(two, gone)
        client.xtrim(STREAM, maxlen=18, approximate=False)
        async with replica(bundle, tmp_path / "three", redis_url) as three:
            with pytest.raises(NotReadyError, match="semcore compact"):
                await three.check_ready()
            said = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
            assert any("no longer in Redis" in sentence for sentence in said)
            assert REGISTRY.get_sample_value("semcore_replica_lost") == 1
            # Nor does it claim that its journal holds what it has not read.
            assert three._journal.read.covers(one._journal.read) is False
            compact_bundle(bundle, tmp_path / "one", tmp_path / "compacted")
            await three.lifecycle.reload(tmp_path / "compacted")

            async def is_ready() -> bool:
                assert three.replicas is not None
                return not three.replicas.replication.lost

            await until(is_ready)
            await three.check_ready()
            assert await texts(three) == await texts(one)
            await one.writer.add([a_text("afterwards")])
            await until(lambda: holds(three, "afterwards"))
            # What it never read it cannot give to a bundle that lacks it.
            with pytest.raises(ReloadError, match="lacks changes of items"):
                await three.lifecycle.reload(copied(few, tmp_path / "older"))
    client.close()


async def test_pictures_do_not_travel(bundle: Path, tmp_path: Path, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    noise = Image.effect_noise((400, 400), 90).convert("RGB")
    content = io.BytesIO()
    noise.save(content, "PNG")
    item = NewItem.model_construct(
        id="large", kind="image", captions=["grey noise"], image=content.getvalue(), pair=None,
        metadata={},
    )  # fmt: skip
    async with (
        replica(bundle, tmp_path / "one", redis_url) as one,
        replica(bundle, tmp_path / "two", redis_url) as two,
    ):
        await one.writer.add([item])
        await until(lambda: holds(two, "large"))
        assert client.memory_usage(STREAM) < len(content.getvalue()) / 10
        found = await two.item("large")
        assert found is not None
        assert found[1] is not None
        assert found[1].read_bytes() == content.getvalue()
    client.close()


async def test_says_that_pictures_are_not_shared(
    bundle: Path, tmp_path: Path, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG")
    item = NewItem.model_construct(
        id="alone", kind="image", captions=["black"], image=content.getvalue(), pair=None,
        metadata={},
    )  # fmt: skip
    async with (
        running(bundle, tmp_path / "one", redis_url, pictures=tmp_path / "here") as one,
        running(bundle, tmp_path / "two", redis_url, pictures=tmp_path / "there") as two,
    ):
        await one.writer.add([item])
        await until(lambda: holds(two, "alone"))

        async def says_so() -> bool:
            return any("set SEMCORE_PICTURES" in record.getMessage() for record in caplog.records)

        await until(says_so)


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
            return bool(client.xlen(STREAM) == number)

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
        return bool(client.xlen(STREAM) == number)

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
