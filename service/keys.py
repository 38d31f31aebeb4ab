"""API keys: who may search, who may administer, and how often."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Literal, Self

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from semcore.errors import SemcoreError
from service import metrics
from service.errors import ForbiddenError, OverloadedError, UnauthorizedError

Scope = Literal["search", "admin"]


class ApiKey(BaseModel):
    """One key; the file holds its hash, so that who reads the file cannot use it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="for the logs")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the key, in hex")
    scopes: frozenset[Scope]
    per_minute: int | None = Field(default=None, ge=1, description="most requests; null: no limit")


_FILE = TypeAdapter(list[ApiKey])


class Keyring:
    """The keys of a service. Without any, everybody may search, and nobody administers.

    Rates are counted by each replica for itself.
    """

    def __init__(self, keys: list[ApiKey]) -> None:
        self._keys = keys
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

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

    def check(self, sent: str | None, scope: Scope) -> str:
        """The name of the key; "" where none is needed.

        Raises:
            UnauthorizedError: no key, or one that there is not.
            ForbiddenError: the key is not for this.
            OverloadedError: the key has been used too often.
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
        if found.per_minute is not None:
            self._count(found.name, RateLimitItemPerMinute(found.per_minute))
        return found.name

    def _count(self, name: str, limit: RateLimitItemPerMinute) -> None:
        if not self._limiter.hit(limit, name):
            metrics.REFUSED.labels("rate").inc()
            raise OverloadedError(
                f"the key {name!r} may be used {limit.amount} times a minute; wait", 1
            )
