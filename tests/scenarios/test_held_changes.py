"""No bundle loses a change: what it does not hold the journals give, or it is refused."""

import json
import shutil
from pathlib import Path

import pytest
import redis
from living import a_text, holds
from manifests import copied
from prometheus_client import REGISTRY
from replicas import in_step, reload, replica, texts

from offline.bundle.compaction import compact_bundle
from semcore.bundle.bundle import read_manifest
from semcore.clock import Clock, entry_of
from service.errors import ReloadError
from service.retrieval import Retrieval

pytestmark = pytest.mark.usefixtures("empty_redis")

STREAM = "semcore:changes"


@pytest.fixture
def bundle(few: Path, tmp_path: Path) -> Path:
    return copied(few, tmp_path / "bundle")


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
        await holds(retrieval, "added")
        and await holds(retrieval, "later")
        and not await holds(retrieval, gone)
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
        assert await holds(retrieval, "added")
        with pytest.raises(ReloadError, match="lacks changes of items"):
            await retrieval.lifecycle.reload(older)
        assert await holds(retrieval, "added")


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
        assert await holds(one, "untold")


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
            assert await holds(two, "item")
    client.close()


async def test_a_manifest_of_an_earlier_program_names_its_journal(few: Path) -> None:
    manifest = read_manifest(few)
    older = manifest.model_copy(update={"format_version": 7, "clock": None})
    text = json.loads(older.model_dump_json(exclude_unset=True))
    text["journal"] = {"name": "abcd", "last": 3}
    assert type(manifest).model_validate(text).held == Clock(journals={"abcd": 3})
