"""Replicas: several services on the same bundle tell each other through Redis what has changed.

* An index that one of them has loaded, the others load as well (what was announced last is kept;
  publish and subscribe say when to look at it).
* Items that one of them has added or deleted, the others write to their own journals (a stream,
  which goes back a week).
  All apply all entries in the order of the stream, their own once more, so that they end up with
  the same items even where two have changed one at the same time.
* Each says now and then that it is there, and which index it serves.

Without Redis a replica serves on by itself, and catches up afterwards.
"""

from __future__ import annotations

import asyncio
import base64
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
from semcore.journal import Change, Entry, Journal
from service import metrics
from service.admin import ReplicaReport
from service.errors import ReloadError
from service.lifecycle import Lifecycle
from service.writer import Writer

_CHANNEL, _LATEST = "semcore:index", "semcore:index:latest"
_STREAM = "semcore:items"
_REPLICA = "semcore:replica:"
_KEPT = 7 * 24 * 3600  # seconds that the stream goes back
_BEAT = 5.0  # seconds between two signs of life
_AWAY = 1.0  # seconds until Redis is tried again, doubled up to a minute
_WAIT = 1_000  # milliseconds that a read of the stream blocks
_BATCH = 8  # entries read or told at a time, each with its picture
_PATIENCE = 1.0  # seconds
_log = logging.getLogger("semcore")


class Announcement(BaseModel):
    """An index that a replica serves from now on."""

    origin: str
    bundle: str
    version: str
    created: datetime


class Replicated(BaseModel):
    """A change of one item, with its picture's file."""

    id: str
    entry: Entry | None
    picture: str = ""


class Replicas:
    """This replica among the others."""

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
        self._writer = writer
        self._journal = journal
        self._is_ready = is_ready
        self._tasks: list[asyncio.Task[None]] = []
        self._due: Announcement | None = None  # what the others were not told yet
        self._latest: str | None = None  # what was announced last; None before Redis was asked
        self._announcing = asyncio.Lock()
        self._ordering = asyncio.Lock()
        self._read = asyncio.Event()  # set once all of the stream was read
        self._complained = False

    def start(self) -> None:
        """Begin to listen, to tell, and to show that it is there; the service has to be ready."""
        for work in (self._listen, self._follow, self._tell, self._beat):
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
            bundle=str(index.bundle.resolve()),
            version=index.version,
            created=index.manifest.created,
        )
        try:
            await self._announce()
        except (redis.exceptions.RedisError, OSError) as error:
            _log.warning("the other replicas were not told of %s yet: %s", index.version, error)

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
            if before is None and told.created <= self._lifecycle.current.manifest.created:
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
        if told.version == self._lifecycle.current.version:
            return
        try:
            await self._lifecycle.serve(Path(told.bundle), told.version)
        except ReloadError as error:
            _log.warning(
                "%s serves %s, which was refused here: %s", told.origin, told.bundle, error
            )

    async def _tell(self) -> None:
        await self._until_all_is_read()
        while True:
            self._writer.written.clear()
            while batch := await asyncio.to_thread(self._journal.untold, _BATCH):
                await self._count_untold()
                for number, change in batch:
                    packed = await asyncio.to_thread(self._packed, change)
                    entry: dict[Any, Any] = {
                        "change": packed, "journal": self._journal.name, "number": number,
                    }  # fmt: skip
                    async with self._ordering:
                        await self._redis.xadd(_STREAM, entry, minid=_oldest(), approximate=True)
                        await asyncio.to_thread(self._journal.tell, number)
            metrics.UNTOLD.set(0)
            await self._writer.written.wait()

    async def _until_all_is_read(self) -> None:
        """The answer to what was told last may be lost; whether it was told, the stream says."""
        self._read = asyncio.Event()
        while not self._read.is_set():
            await self._count_untold()
            with suppress(TimeoutError):
                async with asyncio.timeout(_WAIT / 1000):
                    await self._read.wait()

    async def _count_untold(self) -> None:
        metrics.UNTOLD.set(await asyncio.to_thread(self._journal.count_untold))

    async def _follow(self) -> None:
        await self._check_place()
        while True:
            all_read = self._read
            place = await asyncio.to_thread(lambda: self._journal.place)
            found: Any = await self._redis.xread({_STREAM: place}, count=_BATCH, block=_WAIT)
            entries = found[0][1] if found else []
            changes = []
            for number, fields in entries:
                try:
                    changes.append(await asyncio.to_thread(self._unpacked, fields["change"]))
                except (KeyError, ValueError) as error:
                    _log.warning("replication: entry %s is none of ours: %s", number, error)
            mine = self._journal.name
            told = [int(one["number"]) for _, one in entries if one.get("journal") == mine]
            if entries:
                # Which of our changes come after these is only known while none is on its way.
                async with self._ordering:
                    if told:
                        await asyncio.to_thread(self._journal.tell, max(told))
                    await self._writer.follow(changes, entries[-1][0])
            if len(entries) < _BATCH:
                all_read.set()

    async def _check_place(self) -> None:
        """Complain, once, where the stream may have lost what was not read yet."""
        place = await asyncio.to_thread(lambda: self._journal.place)
        if self._complained or place == "0" or int(place.split("-")[0]) >= _oldest():
            return
        # The oldest are cut first: where one is left, no later one is gone.
        if not await self._redis.xrange(_STREAM, max=place, count=1):
            self._complained = True
            _log.error(
                "replication: changes of items that other replicas made may be lost, since this "
                "one was away for more than a week; start it on a bundle that was compacted since"
            )

    async def _beat(self) -> None:
        while True:
            index = self._lifecycle.current
            report = ReplicaReport(
                name=self.name,
                index_version=index.snapshot.version,
                bundle=str(index.bundle),
                journal=self._journal.last,
                ready=await self._is_ready(),
            )
            seconds = math.ceil(3 * _BEAT)
            await self._redis.set(_REPLICA + self.name, report.model_dump_json(), ex=seconds)
            await self._announce()
            await asyncio.sleep(_BEAT)

    def _packed(self, change: Change) -> str:
        picture = ""
        if change.entry is not None and change.entry.image:
            content = (self._journal.pictures / change.entry.image).read_bytes()
            picture = base64.b64encode(content).decode()
        return Replicated(id=change.id, entry=change.entry, picture=picture).model_dump_json()

    def _unpacked(self, text: str) -> Change:
        told = Replicated.model_validate_json(text)
        if told.entry is not None and told.picture:
            content = base64.b64decode(told.picture)
            self._journal.keep_picture(content, Path(told.entry.image).suffix)
        return Change(told.id, told.entry)


def _oldest() -> int:
    """The first number of an entry that the stream keeps: milliseconds since 1970."""
    return int(1000 * (time.time() - _KEPT))
