"""The cache of the process keeps to its limits; Redis takes its place where it is configured."""

from service.cache.answer_cache import ProcessCache, open_cache
from service.cache.redis_cache import RedisCache
from service.cache.ttl import Lifetime
from service.settings import Settings


async def test_forgets_by_age_and_by_number() -> None:
    now = 0.0
    cache = ProcessCache(2, 1000, Lifetime(10), clock=lambda: now)
    cache.put("a", b"1")
    cache.put("b", b"2")
    assert await cache.get("a") == b"1"
    cache.put("c", b"3")
    assert await cache.get("b") is None  # used longest ago
    assert await cache.get("a") == b"1"
    now = 10.1
    assert await cache.get("a") is None


async def test_keeps_no_more_bytes_than_allowed() -> None:
    cache = ProcessCache(1000, 100, Lifetime(10))
    for number in range(200):
        cache.put(f"{number % 7}", bytes(number % 30))
        assert cache._bytes == sum(len(k) + len(v) for k, (_, v) in cache._kept.items()) <= 100
    cache.put("large", bytes(101))
    assert await cache.get("large") is None
    assert cache._bytes == 0 == len(cache._kept)


def test_redis_serves_where_it_is_configured() -> None:
    assert isinstance(open_cache(Settings(redis_url="redis://127.0.0.1:1/0")), RedisCache)
    assert isinstance(open_cache(Settings(redis_url=None)), ProcessCache)
