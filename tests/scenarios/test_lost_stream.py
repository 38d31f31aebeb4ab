"""Replicas hold the same items again, whatever Redis has lost of the stream of changes."""

from pathlib import Path

import pytest
import redis
from living import a_text, holds
from manifests import copied
from redis_process import redis_server
from replicas import in_step, replica, texts, until

from cli.service_process import free_port
from offline.bundle.compaction import compact_bundle
from service.errors import NotReadyError, ReloadError

pytestmark = pytest.mark.usefixtures("empty_redis")

STREAM = "semcore:changes"


@pytest.fixture
def bundle(few: Path, tmp_path: Path) -> Path:
    return copied(few, tmp_path / "bundle")


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
        await until(lambda: holds(two, "first"))
        assert not any(each.lost for each in replications)
        assert await texts(one) == await texts(two)
    client.close()


async def test_a_stream_that_was_lost_is_followed_by_another(
    bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    """Nothing is lost of what any replica knew, and old changes do not override later ones."""
    client = redis.Redis.from_url(redis_url)
    async with replica(bundle, tmp_path / "one", redis_url) as one:
        async with replica(bundle, tmp_path / "two", redis_url) as two:
            await one.writer.add([a_text("short-lived"), a_text("replaced", "a ship")])
            await until(lambda: holds(two, "replaced"))
            await two.writer.delete("short-lived")
            await two.writer.add([a_text("replaced", "a boat"), a_text("theirs")])
            await in_step(one, two)
        first = one._journal.epoch
        client.flushall()
        await one.writer.add([a_text("after the loss")])

        async def goes_on() -> bool:
            return one._journal.epoch != first and not one._journal.count_untold()

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
                return not (await holds(one, "theirs") or await holds(two, "theirs"))

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
        first = one._journal.epoch
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        await one.writer.add([a_text("late")])

        async def goes_on() -> bool:
            return one._journal.epoch != first and not one._journal.count_untold()

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


async def test_who_has_read_nothing_yet_notices_that_the_first_changes_are_gone(
    bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    async with (
        replica(bundle, tmp_path / "one", redis_url) as one,
        replica(bundle, tmp_path / "two", redis_url) as two,
    ):
        assert two.replicas is not None
        await two.replicas.stop()  # it has joined the stream before anything was told
        await one.writer.add([a_text("first"), a_text("second")])
        await in_step(one)
        client.xtrim(STREAM, maxlen=1, approximate=False)
        two.replicas.start()
        replication = two.replicas.replication

        async def is_lost() -> bool:
            return bool(replication.lost)

        await until(is_lost)
        assert not await holds(two, "first")
    client.close()


async def test_what_newer_bundles_hold_is_told_where_an_older_one_begins(
    few: Path, bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    older = copied(few, tmp_path / "older")
    async with (
        replica(older, tmp_path / "one", redis_url) as one,
        replica(bundle, tmp_path / "two", redis_url) as two,
    ):
        await one.writer.add([a_text("early")])
        await in_step(one, two)
    async with replica(bundle, tmp_path / "two", redis_url) as two:
        await two.writer.add([a_text("late")])
        await in_step(two)
        compact_bundle(bundle, tmp_path / "two", bundle)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    async with (
        replica(older, tmp_path / "one", redis_url) as one,
        replica(bundle, tmp_path / "two", redis_url) as two,
    ):
        await until(lambda: holds(one, "late"))
        await one.check_ready()
        assert await texts(one) == await texts(two)


async def test_who_lacks_what_only_a_bundle_holds_is_not_ready(
    few: Path, bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    older = copied(few, tmp_path / "older")
    async with replica(bundle, tmp_path / "gone for good", redis_url) as gone:
        await gone.writer.add([a_text("compacted")])
        await in_step(gone)
        compact_bundle(bundle, tmp_path / "gone for good", bundle)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    async with replica(older, tmp_path / "one", redis_url) as one:
        await one.check_ready()  # nobody could tell it
        async with replica(bundle, tmp_path / "two", redis_url) as two:
            assert await holds(two, "compacted")

            async def is_lost() -> bool:
                assert one.replicas is not None
                return bool(one.replicas.replication.lost)

            await until(is_lost)
            await two.check_ready()
            await one.lifecycle.reload(bundle)

            async def is_ready() -> bool:
                return not await is_lost()

            await until(is_ready)
            assert await texts(one) == await texts(two)


async def test_streams_that_do_not_know_of_each_other_are_not_mixed_up(
    bundle: Path, tmp_path: Path, redis_url: str
) -> None:
    """Both replicas have begun a stream after the first one, without the other."""
    client = redis.Redis.from_url(redis_url)
    async with (
        replica(bundle, tmp_path / "one", redis_url) as one,
        replica(bundle, tmp_path / "two", redis_url) as two,
    ):
        await one.writer.add([a_text("shared")])
        await in_step(one, two)
    for name in ("one", "two"):
        client.flushall()
        async with replica(bundle, tmp_path / name, redis_url) as alone:
            await alone.writer.add([a_text(f"only {name}")])
            await in_step(alone)
    compact_bundle(bundle, tmp_path / "two", bundle)
    async with (
        replica(bundle, tmp_path / "one", redis_url) as one,
        replica(bundle, tmp_path / "two", redis_url) as two,
    ):
        await until(lambda: holds(two, "only one"))
        await until(lambda: holds(one, "only two"))
        assert await holds(one, "only one")
        assert await texts(one) == await texts(two)
    client.close()


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
            before = one._journal.epoch
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
                        return len(epochs) == 1 and epochs.pop() != before

                    await until(goes_on)
                    await in_step(one, two)
                    for each in (one, two):
                        await each.check_ready()
                        found = await texts(each)
                        assert {"in the dump", "later than the dump", "meanwhile"} <= set(found)
                        assert "dropped" not in found
