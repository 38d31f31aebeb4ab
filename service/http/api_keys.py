"""API keys: who may search, who may administer, and how often."""

from __future__ import annotations

import hashlib
import hmac
import math
from pathlib import Path
from typing import Literal, Self

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from semcore.errors import SemcoreError
from service.errors import (
    ForbiddenError,
    InvalidQueryError,
    OverloadedError,
    UnauthorizedError,
)
from service.telemetry import metrics

Scope = Literal["search", "admin"]


class ApiKey(BaseModel):
    """One key; the file holds its hash, so that who reads the file cannot use it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="for the logs")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the key, in hex")
    scopes: frozenset[Scope]
    per_minute: int | None = Field(
        default=None, ge=1, description="most requests, of a batch its searches; null: no limit"
    )


_FILE = TypeAdapter(list[ApiKey])


class Keyring:
    """The keys of a service. Without any, everybody may search, and nobody administers.

    Rates are counted by each replica for itself.
    """

    def __init__(self, keys: list[ApiKey]) -> None:
        self._keys = keys
        self._amounts = {key.name: key.per_minute for key in keys}
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    @classmethod
    def read(cls, path: Path | None, admin_key: str | None) -> Self:
        """The keys of a file, and one more for administration.

        Raises :class:`SemcoreError` if the file cannot be read.
        """
        keys: list[ApiKey] = []
        if path is not None:
            try:
                keys = _FILE.validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                raise SemcoreError(f"the keys in {path} cannot be read: {error}") from error
        if admin_key:
            digest = hashlib.sha256(admin_key.encode()).hexdigest()
            keys.append(ApiKey(name="admin", sha256=digest, scopes=frozenset(["admin"])))
        return cls(keys)

    @property
    def is_open(self) -> bool:
        """Whether searches need no key."""
        return not any("search" in key.scopes for key in self._keys)

    def check(self, sent: str | None, scope: Scope, cost: int = 1) -> str:
        """The name of the key, which is counted as :meth:`count` says; "" where none is needed.

        Raises:
            UnauthorizedError: no key, or one that there is not.
            ForbiddenError: the key is not for this.

        Raises what :meth:`count` raises, too.
        """
        if scope == "search" and self.is_open:
            return ""
        if sent is None:
            raise UnauthorizedError("this needs a key; send it as X-API-Key or as a bearer token")
        digest = hashlib.sha256(sent.encode()).hexdigest()
        found = None
        for key in self._keys:  # all of them, so that the time taken says nothing
            if hmac.compare_digest(key.sha256, digest):
                found = key
        if found is None:
            raise UnauthorizedError("there is no such key; send another one as X-API-Key")
        if scope not in found.scopes:
            raise ForbiddenError(f"the key {found.name!r} is not for {scope}")
        self.count(found.name, cost)
        return found.name

    def count(self, name: str, cost: int) -> None:
        """Count the key of this name as used ``cost`` times; 0: see that there is room for one.

        Raises:
            OverloadedError: they do not fit into its rate now, and none is counted.
            InvalidQueryError: they never will.
        """
        amount = self._amounts.get(name)
        if amount is None:
            return
        limit = RateLimitItemPerMinute(amount)
        hit = self._limiter.hit if cost else self._limiter.test
        if hit(limit, name, cost=max(1, cost)):
            return
        metrics.REFUSED.labels("rate").inc()
        may = f"the key {name!r} may be used {amount} times a minute"
        if cost > amount:
            raise InvalidQueryError(f"{may}, and this has {cost} searches; send smaller batches")
        raise OverloadedError(f"{may}; wait", self._wait(limit, name, max(1, cost)))

    def _wait(self, limit: RateLimitItemPerMinute, name: str, cost: int) -> int:
        """Whole seconds until there is room for ``cost``: what was used in the minute before counts
        the less the longer ago that minute is."""
        minute, room = limit.get_expiry(), limit.amount - cost
        before, left, now, lasts = self._storage.get_sliding_window(limit.key_for(name), minute)
        if now <= room:
            seconds = left - minute * (room - now) / max(1, before)
        else:
            seconds = lasts - minute + minute * (1 - room / now)
        return max(1, math.ceil(seconds))
