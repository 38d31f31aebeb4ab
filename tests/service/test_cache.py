"""Both caches keep what they are given, and none of their faults reaches a search."""

from service.cache import ProcessCache, RedisCache, cache_key, open_cache
from service.settings import Settings


async def test_process_cache_forgets_by_age_and_by_number() -> None:
    now = 0.0
    cache = ProcessCache(2, 10, clock=lambda: now)
    await cache.put("a", b"1")
    await cache.put("b", b"2")
    assert await cache.get("a") == b"1"
    await cache.put("c", b"3")
    assert await cache.get("b") is None  # used longest ago
    assert await cache.get("a") == b"1"
    now = 11.0
    assert await cache.get("a") is None


async def test_redis_cache_keeps(redis_url: str) -> None:
    cache = open_cache(Settings(redis_url=redis_url, cache_seconds=60))
    assert isinstance(cache, RedisCache)
    assert await cache.get("absent") is None
    await cache.put("key", b"answer")
    assert await cache.get("key") == b"answer"
    await cache.close()


async def test_redis_that_is_away_counts_as_a_miss() -> None:
    cache = RedisCache("redis://127.0.0.1:1/0", 60)
    await cache.put("key", b"answer")
    assert await cache.get("key") is None
    await cache.close()


def test_key_tells_everything_apart() -> None:
    keys = {
        cache_key("v1", "m", "text-to-image", "a boat", (10, 20)),
        cache_key("v2", "m", "text-to-image", "a boat", (10, 20)),
        cache_key("v1", "n", "text-to-image", "a boat", (10, 20)),
        cache_key("v1", "m", "image-to-text", "a boat", (10, 20)),
        cache_key("v1", "m", "text-to-image", "a car", (10, 20)),
        cache_key("v1", "m", "text-to-image", "a boat", (10, 30)),
    }
    assert len(keys) == 6
