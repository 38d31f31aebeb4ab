"""Redis keeps answers; away, hanging, full or talking nonsense it counts as a miss."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import redis

from service.cache import redis_cache
from service.cache.redis_cache import RedisCache
from service.cache.ttl import Lifetime

LIFETIME = Lifetime(60)


@asynccontextmanager
async def pretender(
    answer: bytes | None, delay: float = 0.0
) -> AsyncIterator[tuple[str, list[int]]]:
    """A server on loopback that answers everything with ``answer``, or nothing; its URL, and a
    list with an entry for each connection."""
    connections: list[int] = []
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        serving.add(asyncio.current_task())
        with suppress(ConnectionError):
            while await reader.read(1000):
                if answer is not None:
                    await asyncio.sleep(delay)
                    writer.write(answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"redis://127.0.0.1:{port}/0", connections
    finally:
        server.close()
        await asyncio.gather(*filter(None, serving))


async def written(cache: RedisCache) -> None:
    await asyncio.gather(*cache._writes)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, a sound Redis is waited for."""
    monkeypatch.setattr(redis_cache, "_PATIENCE", 60)
    monkeypatch.setattr(redis_cache, "_TIMEOUT", 60)


@pytest.mark.usefixtures("patient")
async def test_keeps_for_a_time(redis_url: str) -> None:
    cache = RedisCache(redis_url, LIFETIME)
    assert await cache.get("absent") is None
    began = time.monotonic()
    cache.put("key", b"answer")
    await written(cache)
    assert await cache.get("key") == b"answer"
    with redis.Redis.from_url(redis_url) as client:
        (name,) = client.keys("semcore:*key")
        left = client.pttl(name)
    assert 48_000 - 1000 * (time.monotonic() - began) <= left <= 60_000
    await cache.close()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("spoil", [lambda kept: kept[:-1], lambda kept: b"x" + kept, lambda _: b""])
async def test_what_was_changed_is_a_miss(redis_url: str, spoil: object) -> None:
    assert callable(spoil)
    cache = RedisCache(redis_url, LIFETIME)
    cache.put("spoilt", b"answer")
    await written(cache)
    with redis.Redis.from_url(redis_url) as client:
        (name,) = client.keys("semcore:*spoilt")
        client.set(name, spoil(client.get(name)))
    assert await cache.get("spoilt") is None
    await cache.close()


@pytest.mark.usefixtures("patient")
async def test_full_redis_is_still_read(redis_url: str) -> None:
    cache = RedisCache(redis_url, LIFETIME)
    cache.put("before", b"answer")
    await written(cache)
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "1")
        for number in range(10):
            cache.put(f"{number}", b"answer")
        await written(cache)
        client.config_set("maxmemory", "0")
    assert not cache.breaker.is_open
    assert await cache.get("before") == b"answer"
    await cache.close()


@pytest.mark.parametrize("answer", [None, b"\x00nonsense\r\n", b"$99\r\nshort"])
async def test_left_alone_after_some_failures(answer: bytes | None) -> None:
    async with pretender(answer) as (url, connections):
        cache = RedisCache(url, LIFETIME)
        for _ in range(100):
            assert await cache.get("key") is None
            cache.put("key", b"answer")
        await cache.close()
        assert cache.breaker.is_open
        assert len(connections) < 20


async def test_late_answers_are_failures() -> None:
    async with pretender(b"$-1\r\n", delay=0.05) as (url, _):
        cache = RedisCache(url, LIFETIME)
        for _ in range(3):
            assert not cache.breaker.is_open
            assert await cache.get("key") is None
            await asyncio.gather(*cache._reads)
        assert cache.breaker.is_open
        await cache.close()


async def test_away_counts_as_a_miss() -> None:
    cache = RedisCache("redis://127.0.0.1:1/0", LIFETIME)
    cache.put("key", b"answer")
    assert await cache.get("key") is None
    await cache.close()
