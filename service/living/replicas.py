"""Replicas: several services on the same bundle tell each other through Redis what has changed.

* An index that one of them has loaded, the others load as well (what was announced last is kept;
  publish and subscribe say when to look at it).
* Each says now and then that it is there, and which index it serves.

:mod:`service.living.replication` tells of items that were added and deleted. Without Redis a
replica serves on by itself, and catches up afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import redis.asyncio
import redis.exceptions
from pydantic import BaseModel, ValidationError

from semcore.errors import SemcoreError
from semcore.journal.journal import Journal
from service.errors import ReloadError
from service.living.item_writer import Writer
from service.living.reload import Lifecycle
from service.living.replication import Replication
from service.schemas.admin import ReplicaReport

_CHANNEL, _LATEST = "semcore:index", "semcore:index:latest"
_REPLICA = "semcore:replica:"
_BEAT = 5.0  # seconds between two signs of life
_AWAY = 1.0  # seconds until Redis is tried again, doubled up to a minute
_PATIENCE = 1.0  # seconds
_log = logging.getLogger("semcore")


class Announcement(BaseModel):
    """An index that a replica serves from now on."""

    origin: str
    bundle: str
    version: str
    created: datetime


class Replicas:
    """This replica among the others.

    Attributes:
        replication: of changes of items.
    """

    def __init__(
        self,
        url: str,
        lifecycle: Lifecycle,
        writer: Writer,
        journal: Journal,
        is_ready: Callable[[], Awaitable[bool]],
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:4]}"
        self._redis = redis.asyncio.Redis.from_url(url, decode_responses=True)
        self._lifecycle = lifecycle
        self._journal = journal
        self.replication = Replication(self._redis, lifecycle, writer, journal)
        self._is_ready = is_ready
        self._tasks: list[asyncio.Task[None]] = []
        self._due: Announcement | None = None  # what the others were not told yet
        self._latest: str | None = None  # what was announced last; None before Redis was asked
        self._announcing = asyncio.Lock()

    async def catch_up(self) -> None:
        """Read the changes of all replicas, unless Redis is away."""
        try:
            await self.replication.catch_up()
        except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
            _log.warning(
                "replication: this replica serves by itself until Redis answers: %s", error
            )

    def start(self) -> None:
        """Begin to listen, to tell, and to show that it is there; the service has to be ready."""
        replication = self.replication
        for work in (self._listen, replication.follow, replication.tell, self._beat):
            self._tasks.append(asyncio.create_task(self._again(work)))

    async def stop(self) -> None:
        running = set(self._tasks)
        # Again: a cancellation that meets the end of a ``wait_for``, by which each command to Redis
        # is sent, is lost in Python 3.11.
        while running:
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=_PATIENCE)
        with suppress(redis.exceptions.RedisError, OSError):
            await self._redis.delete(_REPLICA + self.name)
        with suppress(redis.exceptions.RedisError, OSError):
            await self._redis.aclose()

    async def announce(self) -> None:
        """Tell the others to serve the index that is current here; if Redis is away, once it is
        back."""
        index = self._lifecycle.current
        self._due = Announcement(
            origin=self.name,
            bundle=str(index.bundle.path.resolve()),
            version=index.bundle.version,
            created=index.bundle.manifest.created,
        )
        try:
            await self._announce()
        except (redis.exceptions.RedisError, OSError) as error:
            _log.warning(
                "the other replicas were not told of %s yet: %s", index.bundle.version, error
            )

    async def reports(self) -> list[ReplicaReport]:
        """All replicas that were there a moment ago; none if Redis is away."""
        try:
            async with asyncio.timeout(_PATIENCE):
                names = sorted([name async for name in self._redis.scan_iter(f"{_REPLICA}*")])
                found = await self._redis.mget(names) if names else []
        except (redis.exceptions.RedisError, OSError, TimeoutError):
            return []
        return [ReplicaReport.model_validate_json(report) for report in found if report]

    async def _again(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work that goes on for good, begun anew where Redis fails."""
        away = _AWAY
        while True:
            began = time.monotonic()
            try:
                await work()
            except (redis.exceptions.RedisError, OSError, SemcoreError, ValidationError) as error:
                _log.warning("replication: %s", error)
            except Exception:  # nobody reads what a task ends with
                _log.exception("replication")
            away = _AWAY if time.monotonic() - began > 60 else min(60.0, 2 * away)
            await asyncio.sleep(away)

    async def _announce(self) -> None:
        """Tell what is due, if anything is."""
        async with self._announcing:
            due = self._due
            if due is None:
                return
            told = due.model_dump_json()
            await self._redis.set(_LATEST, told)
            await self._redis.publish(_CHANNEL, told)
            self._latest = told
            if self._due is due:
                self._due = None

    async def _listen(self) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(_CHANNEL)
            # Each subscription is a message, too, that of a connection made anew included.
            async for _ in channel.listen():
                await self._announce()
                await self._hear()

    async def _hear(self) -> None:
        """Take over what was announced last, unless that is known."""
        async with self._announcing:
            latest: Any = await self._redis.get(_LATEST)
            before, self._latest = self._latest, latest or ""
            if self._latest in ("", before):
                return
            told = Announcement.model_validate_json(latest)
            if told.origin == self.name:
                return
            # Not where an operator has started this one on a newer bundle.
            if before is None and told.created <= self._lifecycle.current.bundle.manifest.created:
                return
            self._due = None
        try:
            await self._serve(told)
            # What was loaded here meanwhile was announced later, and is what all others serve.
            while self._latest != latest:
                latest = self._latest
                await self._serve(Announcement.model_validate_json(latest))
        except BaseException:
            self._latest = before  # to be heard again
            raise

    async def _serve(self, told: Announcement) -> None:
        if told.version == self._lifecycle.current.bundle.version:
            return
        try:
            await self._lifecycle.serve(Path(told.bundle), told.version)
        except ReloadError as error:
            _log.warning(
                "%s serves %s, which was refused here: %s", told.origin, told.bundle, error
            )

    async def _beat(self) -> None:
        while True:
            index, held = self._lifecycle.current, self._lifecycle.held
            report = ReplicaReport(
                name=self.name,
                index_version=index.snapshot.version,
                bundle=str(index.bundle.path),
                journal=await asyncio.to_thread(lambda: self._journal.last),
                holds=held[0].common(*held[1:]),
                read=await asyncio.to_thread(lambda: self._journal.read),
                lost=self.replication.lost,
                ready=await self._is_ready(),
            )
            seconds = math.ceil(3 * _BEAT)
            await self._redis.set(_REPLICA + self.name, report.model_dump_json(), ex=seconds)
            await self._announce()
            await self.replication.count_untold()
            await self.replication.trim([one.holds for one in await self.reports()])
            await asyncio.sleep(_BEAT)
