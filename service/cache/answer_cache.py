"""Answers kept: in Redis where one is configured, else in this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from service.cache.redis_cache import RedisCache
from service.cache.ttl import Lifetime
from service.settings import Settings


class Cache(Protocol):
    """Bytes under keys, for a time; a cache that fails is a cache that misses."""

    async def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None:
        """Does not wait for the value to be there."""
        ...

    async def close(self) -> None: ...


def open_cache(settings: Settings) -> Cache:
    """Redis if its URL is set, else a bounded cache in this process."""
    lifetime = Lifetime(settings.cache_seconds)
    if settings.redis_url:
        return RedisCache(settings.redis_url, lifetime)
    return ProcessCache(settings.cache_size, settings.cache_bytes, lifetime)


class ProcessCache:
    """The answers used last: at most ``size``, with their keys at most ``size_in_bytes``."""

    def __init__(
        self,
        size: int,
        size_in_bytes: int,
        lifetime: Lifetime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = size
        self._most_bytes = size_in_bytes
        self._lifetime = lifetime
        self._clock = clock
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        until, value = self._kept.get(key, (0.0, b""))
        if until <= self._clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return value

    def put(self, key: str, value: bytes) -> None:
        self._drop(key)
        self._kept[key] = (self._clock() + self._lifetime.seconds(), value)
        self._bytes += len(key) + len(value)
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    async def close(self) -> None:
        self._kept.clear()
        self._bytes = 0

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(key) + len(kept[1])
