"""The cache in Redis, which never fails a search and never holds one up for long."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from typing import Any, TypeVar

import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.cache.circuit_breaker import Breaker
from service.cache.ttl import Lifetime

_PREFIX = "semcore:answer:"
_PATIENCE = 0.015  # seconds that a search waits for an answer
_TIMEOUT = 0.25  # seconds until a connection counts as dead
_MOST_WRITES = 64
_FAILURES = 3
_SEAL = 8  # bytes
_FAULTS = (redis.exceptions.RedisError, OSError, ValueError)

Result = TypeVar("Result")


class RedisCache:
    """Whatever goes wrong counts as a miss; after some failures in a row Redis is left alone for a
    while. Writes run beside the searches, and those that would pile up are left out.

    Values are sealed with their hash, so that of what others write under our keys, or what is cut
    short, nothing is taken for an answer.
    """

    def __init__(self, url: str, lifetime: Lifetime) -> None:
        self._lifetime = lifetime
        self._redis = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        self.breaker = Breaker(_FAILURES)
        self._reads: set[asyncio.Task[bytes | None]] = set()
        self._writes: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> bytes | None:
        if not self.breaker.allows():
            return None
        # Waited for, not cancelled: a connection that is left in the middle of an answer is lost.
        task = _kept(self._reads, self._read(_PREFIX + key))
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE)
        value = task.result() if done else None
        if value is None:
            self.breaker.failed()
            return None
        self.breaker.succeeded()
        return _opened(value)

    def put(self, key: str, value: bytes) -> None:
        if not self.breaker.is_open and len(self._writes) < _MOST_WRITES:
            _kept(self._writes, self._write(_PREFIX + key, _seal(value) + value))

    async def close(self) -> None:
        await asyncio.gather(*self._reads, *self._writes)
        await self._redis.aclose()

    async def _read(self, key: str) -> bytes | None:
        """What Redis holds, nothing if it holds no bytes; None if it fails. Whether that was in
        time is judged by who waits, once: a late answer is a failure and no success."""
        try:
            value = await self._redis.get(key)
        except _FAULTS:
            return None
        return value if isinstance(value, bytes) else b""

    async def _write(self, key: str, value: bytes) -> None:
        milliseconds = max(1, round(1000 * self._lifetime.seconds()))
        try:
            await self._redis.set(key, value, px=milliseconds)
        except redis.exceptions.ResponseError:
            return  # it is there and says no: full, or read-only; reading may well go on
        except _FAULTS:
            self.breaker.failed()


def _kept(
    tasks: set[asyncio.Task[Result]], work: Coroutine[Any, Any, Result]
) -> asyncio.Task[Result]:
    """Begun, and held until it has ended: else it could be collected before."""
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


def _seal(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=_SEAL).digest()


def _opened(sealed: bytes) -> bytes | None:
    value = sealed[_SEAL:]
    return value if sealed[:_SEAL] == _seal(value) else None
