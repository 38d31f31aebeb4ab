"""Replicas hold the same items, and one that may lack some says so, whatever happens to bundles,
journals and Redis."""

import asyncio
import io
import json
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import redis
from asking import asked
from living import running
from manifests import copied
from PIL import Image
from prometheus_client import REGISTRY
from redis_process import redis_server

from cli.service_process import free_port
from offline.bundle.compaction import compact_bundle
from semcore.bundle.bundle import read_manifest
from semcore.clock import Clock, entry_of
from service.errors import NotReadyError, ReloadError
from service.retrieval import Retrieval
from service.schemas.admin import NewItem
from service.schemas.answer import SearchOptions

STREAM = "semcore:changes"


@pytest.fixture(autouse=True)
def empty(redis_url: str) -> None:
    redis.Redis.from_url(redis_url).flushall()


@pytest.fixture
def bundle(few: Path, tmp_path: Path) -> Path:
    return copied(few, tmp_path / "bundle")


def a_text(item_id: str, words: str = "two dogs in the snow") -> NewItem:
    return NewItem(id=item_id, kind="text", captions=[words])


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


async def has(retrieval: Retrieval, item_id: str) -> bool:
    return await retrieval.item(item_id) is not None


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


async def grow_and_prune(retrieval: Retrieval, bundle: Path, journal: Path, gone: str) -> None:
    await retrieval.writer.add([a_text("added")])
    await retrieval.writer.delete(gone)
    compact_bundle(bundle, journal, bundle)
    await retrieval.lifecycle.reload(None)
    await retrieval.writer.add([a_text("later")])
    compact_bundle(bundle, journal, bundle)
    await retrieval.lifecycle.reload(None)  # prunes what both hold


async def lost_nothing(retrieval: Retrieval, gone: str) -> bool:
    return (
        await has(retrieval, "added")
        and await has(retrieval, "later")
        and not await has(retrieval, gone)
    )


@pytest.mark.parametrize("way", ["rebuilt", "older", "restarted"])
async def test_a_bundle_without_the_changes_gets_them(
    few: Path, bundle: Path, tmp_path: Path, way: str
) -> None:
    """One that was built anew, or that was kept from before, has no word of them."""
    journal = tmp_path / "journal"
    older = copied(few, tmp_path / "older")
    async with replica(bundle, journal) as retrieval:
        gone = next(iter(retrieval.lifecycle.current.bundle.store)).id
        await grow_and_prune(retrieval, bundle, journal, gone)
        assert await lost_nothing(retrieval, gone)
        if way == "older":
            await retrieval.lifecycle.reload(older)
            assert await lost_nothing(retrieval, gone)
            return
        shutil.rmtree(bundle)
        copied(few, bundle)
        if way == "rebuilt":
            await retrieval.lifecycle.reload(None)
            assert await lost_nothing(retrieval, gone)
            return
    async with replica(bundle, journal) as retrieval:
        assert await lost_nothing(retrieval, gone)


async def test_a_bundle_is_refused_that_lacks_what_nobody_has(
    few: Path, bundle: Path, tmp_path: Path
) -> None:
    """The journal was lost, and only the compacted bundle knows what had changed."""
    older = copied(few, tmp_path / "older")
    async with replica(bundle, tmp_path / "journal") as retrieval:
        await retrieval.writer.add([a_text("added")])
        compact_bundle(bundle, tmp_path / "journal", bundle)
    async with replica(bundle, tmp_path / "another") as retrieval:
        assert await has(retrieval, "added")
        with pytest.raises(ReloadError, match="lacks changes of items"):
            await retrieval.lifecycle.reload(older)
        assert await has(retrieval, "added")


async def test_compaction_serves_all_replicas(
    few: Path, bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    async with (
        replica(bundle, tmp_path / "one", redis_url) as one,
        replica(bundle, tmp_path / "two", redis_url) as two,
    ):
        for number in range(3):
            await one.writer.add([a_text("replaced", f"dog number {number}")])
            await two.writer.add([a_text(f"item {number}")])
            await in_step(one, two)
            compact_bundle(bundle, tmp_path / ("one", "two")[number % 2], bundle)
            await reload(bundle, one, two)
            for each in (one, two):
                index = each.lifecycle.current
                assert index.snapshot.added == {}  # the bundle holds them all
                assert index.snapshot.version == index.bundle.version
        held = one.lifecycle.current.held
        assert held.position == one._journal.read.position == two._journal.read.position
        status = two.lifecycle.status()
        assert status.current.holds == held
        assert status.read == two._journal.read
        for each in (one, two):
            (count, _) = each._journal.lacking(Clock())
            assert count == 4  # of each item the last change
        told = {
            of: REGISTRY.get_sample_value("semcore_clock_seconds", {"of": of})
            for of in ("bundle", "read")
        }
        assert told["bundle"] == told["read"] > 1.7e9
        # The corpus is built anew: both hold what was added, and agree on what it says.
        shutil.rmtree(bundle)
        copied(few, bundle)
        await reload(bundle, one, two)
        await in_step(one, two)
        found = await texts(one)
        assert found == await texts(two)
        assert {"item 0", "item 1", "item 2", "replaced"} <= set(found)
        assert found["replaced"] == "dog number 2"


async def test_what_was_not_told_yet_is_not_compacted(
    bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    """Another replica's change may still come before it."""
    async with replica(bundle, tmp_path / "one", redis_url) as one:
        await one.writer.add([a_text("told")])
        await in_step(one)
        assert one.replicas is not None
        await one.replicas.stop()
        await one.writer.add([a_text("told", "a ship"), a_text("untold")])
        manifest = compact_bundle(bundle, tmp_path / "one", tmp_path / "compacted")
        assert manifest.held == Clock(positions=one._journal.read.positions)
        await one.lifecycle.reload(tmp_path / "compacted")
        assert (await texts(one))["told"] == "a ship"
        assert await has(one, "untold")


async def test_where_no_replica_is_ready_another_stream_mends_it(
    bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    async with replica(bundle, tmp_path / "one", redis_url) as one:
        await one.writer.add([a_text("first")])
        await in_step(one)
    client.xadd(STREAM, {"key": "of nobody"})
    client.xtrim(STREAM, maxlen=0, approximate=False)
    async with (
        replica(bundle, tmp_path / "one", redis_url) as one,
        replica(bundle, tmp_path / "two", redis_url) as two,
    ):
        assert one.replicas is not None
        assert two.replicas is not None
        replications = [one.replicas.replication, two.replicas.replication]
        assert all("delete the key semcore:epoch" in each.lost for each in replications)
        client.delete("semcore:epoch")
        await until(lambda: has(two, "first"))
        assert not any(each.lost for each in replications)
        assert await texts(one) == await texts(two)
    client.close()


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
            assert not await has(two, gone)
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
            await until(lambda: has(three, "afterwards"))
            # What it never read it cannot give to a bundle that lacks it.
            with pytest.raises(ReloadError, match="lacks changes of items"):
                await three.lifecycle.reload(copied(few, tmp_path / "older"))
    client.close()


async def test_nothing_is_trimmed_that_a_bundle_lacks(
    bundle: Path, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.living.replication._KEPT", -60)
    client = redis.Redis.from_url(redis_url)
    async with replica(bundle, tmp_path / "one", redis_url) as one:
        for number in range(300):
            await one.writer.add([a_text("item", f"boat {number % 7}")])
        await in_step(one)
        assert one.replicas is not None
        replication = one.replicas.replication
        await replication.trim(one.lifecycle.held)
        assert client.xlen(STREAM) == 300
        compact_bundle(bundle, tmp_path / "one", bundle)
        await one.lifecycle.reload(None)
        await replication.trim(one.lifecycle.held)
        assert client.xlen(STREAM) == 300  # a rollback would bring back one that needs them
        await one.lifecycle.reload(None)
        await replication.trim(one.lifecycle.held)
        assert client.xlen(STREAM) < 300
        (last, _), *_ = client.xrevrange(STREAM, count=1)
        assert last.decode() == entry_of(one.lifecycle.current.held.position)
        async with replica(bundle, tmp_path / "two", redis_url) as two:
            await two.check_ready()
            assert await has(two, "item")
    client.close()


async def test_a_stream_that_was_lost_is_followed_by_another(
    bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    """Nothing is lost of what any replica knew, and old changes do not override later ones."""
    client = redis.Redis.from_url(redis_url)
    async with replica(bundle, tmp_path / "one", redis_url) as one:
        async with replica(bundle, tmp_path / "two", redis_url) as two:
            await one.writer.add([a_text("short-lived"), a_text("replaced", "a ship")])
            await until(lambda: has(two, "replaced"))
            await two.writer.delete("short-lived")
            await two.writer.add([a_text("replaced", "a boat"), a_text("theirs")])
            await in_step(one, two)
        client.flushall()
        await one.writer.add([a_text("after the loss")])

        async def goes_on() -> bool:
            return one._journal.epoch.startswith("2:") and not one._journal.count_untold()

        await until(goes_on)
        async with (
            replica(bundle, tmp_path / "two", redis_url) as two,
            replica(bundle, tmp_path / "three", redis_url) as three,
        ):
            await in_step(one, two, three)
            found = await texts(one)
            assert found["replaced"] == "a boat"
            assert {"theirs", "after the loss"} <= set(found)
            assert "short-lived" not in found
            for each in (two, three):
                await each.check_ready()
                assert await texts(each) == found
            await three.writer.delete("theirs")

            async def is_gone() -> bool:
                return not (await has(one, "theirs") or await has(two, "theirs"))

            await until(is_gone)
    client.close()


async def test_what_came_before_a_stream_a_new_replica_cannot_give_to_a_bundle(
    few: Path, bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    older = copied(few, tmp_path / "older")
    async with replica(bundle, tmp_path / "one", redis_url) as one:
        await one.writer.add([a_text("early")])
        await in_step(one)
        compact_bundle(bundle, tmp_path / "one", bundle)
        await one.lifecycle.reload(None)
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        await one.writer.add([a_text("late")])

        async def goes_on() -> bool:
            return one._journal.epoch.startswith("2:") and not one._journal.count_untold()

        await until(goes_on)
        async with replica(bundle, tmp_path / "two", redis_url) as two:
            await two.check_ready()
            await in_step(one, two)
            with pytest.raises(ReloadError, match="lacks changes of items"):
                await two.lifecycle.reload(older)
            await one.lifecycle.reload(older)  # whose journal has them all
            assert {"early", "late"} <= set(await texts(one))
        async with replica(older, tmp_path / "three", redis_url) as three:
            with pytest.raises(NotReadyError, match="others began with a bundle"):
                await three.check_ready()


async def test_an_older_dump_is_no_way_back(bundle: Path, tmp_path: Path) -> None:
    """Redis comes back from a dump that lacks what was told since."""
    port, folder = free_port(), tmp_path / "redis"
    folder.mkdir()
    url = f"redis://127.0.0.1:{port}/0"
    with redis_server(port, folder) as first:
        async with replica(bundle, tmp_path / "one", url) as one:
            await one.writer.add([a_text("in the dump"), a_text("dropped")])
            await in_step(one)
            redis.Redis.from_url(url).save()
            await one.writer.delete("dropped")
            await one.writer.add([a_text("later than the dump")])
            await in_step(one)
            first.kill()
            first.wait()
            await one.writer.add([a_text("meanwhile")])
            with redis_server(port, folder):
                async with replica(bundle, tmp_path / "two", url) as two:

                    async def goes_on() -> bool:
                        epochs = {each._journal.epoch for each in (one, two)}
                        return len(epochs) == 1 and epochs.pop().startswith("2:")

                    await until(goes_on)
                    await in_step(one, two)
                    for each in (one, two):
                        await each.check_ready()
                        found = await texts(each)
                        assert {"in the dump", "later than the dump", "meanwhile"} <= set(found)
                        assert "dropped" not in found


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
        await until(lambda: has(two, "large"))
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
        await until(lambda: has(two, "alone"))

        async def says_so() -> bool:
            return any("set SEMCORE_PICTURES" in record.getMessage() for record in caplog.records)

        await until(says_so)


async def test_a_manifest_of_an_earlier_program_names_its_journal(few: Path) -> None:
    manifest = read_manifest(few)
    older = manifest.model_copy(update={"format_version": 7, "clock": None})
    text = json.loads(older.model_dump_json(exclude_unset=True))
    text["journal"] = {"name": "abcd", "last": 3}
    assert type(manifest).model_validate(text).held == Clock(journals={"abcd": 3})
