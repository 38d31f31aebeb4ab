"""Answers kept: in Redis where one is configured, else in this process."""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import redis.asyncio
import redis.exceptions

from semcore.prompt import PROMPT_VERSION, Direction
from service.settings import Settings

_PREFIX = "semcore:answer:"
_PATIENCE = 0.25  # seconds until Redis counts as down


class Cache(Protocol):
    """Bytes under keys, for a time; a cache that fails is a cache that misses."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...

    async def close(self) -> None: ...


def open_cache(settings: Settings) -> Cache:
    """Redis if its URL is set, else a bounded cache in this process."""
    if settings.redis_url:
        return RedisCache(settings.redis_url, settings.cache_seconds)
    return ProcessCache(settings.cache_size, settings.cache_seconds)


def cache_key(
    index_version: str, model: str, direction: Direction, query: str, parameters: object
) -> str:
    """SHA-256, in hex, of all that an answer depends on."""
    parts = [index_version, model, PROMPT_VERSION, direction, query, repr(parameters)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class ProcessCache:
    """The ``size`` answers used last, each for at most ``seconds``."""

    def __init__(
        self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        until, value = self._kept.get(key, (0.0, b""))
        if until <= self._clock():
            self._kept.pop(key, None)
            return None
        self._kept.move_to_end(key)
        return value

    async def put(self, key: str, value: bytes) -> None:
        self._kept[key] = (self._clock() + self._seconds, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    async def close(self) -> None:
        self._kept.clear()


class RedisCache:
    """Redis; whatever goes wrong with it counts as a miss."""

    def __init__(self, url: str, seconds: int) -> None:
        self._seconds = seconds
        self._redis = redis.asyncio.Redis.from_url(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
        )

    async def get(self, key: str) -> bytes | None:
        try:
            value = await self._redis.get(_PREFIX + key)
        except (redis.exceptions.RedisError, OSError):
            return None
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, value: bytes) -> None:
        try:
            await self._redis.set(_PREFIX + key, value, ex=self._seconds)
        except (redis.exceptions.RedisError, OSError):
            return

    async def close(self) -> None:
        await self._redis.aclose()
