"""The stream of changes in Redis: the one order that all replicas follow.

An *epoch* is the life of one stream. Where Redis has lost entries that were read already (it came
back empty, or from an older dump), a replica begins the next epoch with an empty stream, and all of
them tell once more what its bundle lacks, each change with its place in the order of before.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis.asyncio
from pydantic import BaseModel, ConfigDict, ValidationError

from semcore.clock import Clock, Position, entry_of, position_of
from semcore.journal.change import Change, Entry, ToldChange

_EPOCH, _STREAM, _TOLD = "semcore:epoch", "semcore:changes", "semcore:told"
_ENTRIES = ""  # field of the hash of what was told, which counts the entries that were ever added

# Nothing is begun where somebody else was faster.
_BEGIN = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2], KEYS[3])
return 1
"""
# A change whose answer was lost is not told twice; 'gone' where the epoch is another one by now.
_ADD = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'gone' end
if ARGV[4] == '' then
  if tonumber(redis.call('HGET', KEYS[3], ARGV[2]) or 0) >= tonumber(ARGV[3]) then return '' end
  redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
end
redis.call('HINCRBY', KEYS[3], '', 1)
return redis.call('XADD', KEYS[2], '*', 'origin', ARGV[2], 'number', ARGV[3], 'key', ARGV[4],
                  'change', ARGV[5])
"""


class Epoch(BaseModel):
    """The life of one stream.

    Attributes:
        base: what the bundle held of the replica that began it. All that came later is in the
            stream.
    """

    model_config = ConfigDict(frozen=True)

    generation: int
    name: str
    base: Clock

    @property
    def text(self) -> str:
        """What names it in a journal."""
        return f"{self.generation}:{self.name}"

    @property
    def start(self) -> Position:
        """The position before its first entry."""
        return position_of(self.generation, "0-0")


Rest = Literal["all", "cut", "rewound"]
"""Of the entries after one: all are there; older ones were cut off, and perhaps some of these; or
the stream has lost that one itself."""


class EpochEndedError(Exception):
    """The stream is another one by now, or lacks what it had."""


class Recap(BaseModel):
    """A replica has told once more what it knew when an epoch began.

    Attributes:
        base: what it did not tell, because its bundle holds it.
        clock: up to where it knew changes.
    """

    base: Clock
    clock: Clock


class _Told(BaseModel):
    """A change as it stands in the stream; the pictures are in the folder that replicas share."""

    id: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries of the stream in order.

    Attributes:
        position: of the last one, those that could not be read included.
        odd: numbers of entries that are none of ours.
    """

    position: Position
    changes: list[ToldChange]
    recaps: list[Recap]
    odd: list[str]
    count: int


class ChangeStream:
    """Raises what Redis raises, and :class:`EpochEndedError`."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis = client
        self._begin = client.register_script(_BEGIN)
        self._add = client.register_script(_ADD)

    async def epoch(self) -> Epoch | None:
        """The one that goes on; None if there is none."""
        found: Any = await self._redis.get(_EPOCH)
        return _epoch(found)

    async def begin(self, before: Epoch | None, generation: int, base: Clock) -> Epoch:
        """Begin another epoch, unless somebody else was faster; the one that goes on."""
        following = Epoch(generation=generation, name=uuid.uuid4().hex[:8], base=base)
        was = "" if before is None else before.model_dump_json()
        keys = [_EPOCH, _STREAM, _TOLD]
        if await self._begin(keys=keys, args=[was, following.model_dump_json()]):
            return following
        found = await self.epoch()
        if found is None:
            raise EpochEndedError
        return found

    async def tell(self, epoch: Epoch, origin: str, number: int, change: Change) -> Position | None:
        """Add a change; its position, or None if it was added before."""
        told = _Told(id=change.id, entry=change.entry).model_dump_json()
        return await self._added(epoch, origin, number, "", told)

    async def tell_again(self, epoch: Epoch, told: ToldChange) -> None:
        """Add a change that had its place in an epoch before."""
        text = _Told(id=told.change.id, entry=told.change.entry).model_dump_json()
        await self._added(epoch, told.origin, told.number, told.key, text)

    async def recap(self, epoch: Epoch, recap: Recap) -> None:
        """Say that all was told once more."""
        await self._added(epoch, "recap", 0, "recap", recap.model_dump_json())

    async def after(self, epoch: Epoch, position: Position) -> Rest:
        """What of the entries after a position is there."""
        cursor = entry_of(position)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xrange(_STREAM, count=1)
            pipeline.xrange(_STREAM, min=cursor, max=cursor, count=1)
            pipeline.hget(_TOLD, _ENTRIES)
            pipeline.xlen(_STREAM)
            pipeline.exists(_STREAM)
            first, there, added, length, exists = await pipeline.execute()
        if there or (cursor == "0-0" and int(added or 0) == length):
            return "all"
        if cursor == "0-0":
            return "cut"
        if not exists:
            return "rewound"
        last = str((await self._redis.xinfo_stream(_STREAM))["last-generated-id"])
        oldest = position_of(epoch.generation, first[0][0] if first else last)
        # Where older entries are left and this one is not, or it is later than all, it was lost.
        return "cut" if position < oldest else "rewound"

    async def read(
        self, epoch: Epoch, after: Position, most: int, wait: int | None = None
    ) -> Batch:
        """The entries after a position; waits for the first one at most ``wait`` milliseconds.

        Raises :class:`EpochEndedError` also where the entry at the position is gone, or before all
        of them where any was cut off.
        """
        cursor = entry_of(after)
        found: Any = await self._redis.xread({_STREAM: cursor}, count=most, block=wait)
        # Whether what was read follows what was read before, is known only afterwards.
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.get(_EPOCH)
            pipeline.xrange(_STREAM, min=cursor, max=cursor, count=1)
            pipeline.hget(_TOLD, _ENTRIES)
            pipeline.xlen(_STREAM)
            current, there, added, length = await pipeline.execute()
        follows = length >= int(added or 0) if cursor == "0-0" else bool(there)
        if _epoch(current) != epoch or not follows:
            raise EpochEndedError
        return _batch(epoch, after, found[0][1] if found else [])

    async def trim(self, position: Position) -> None:
        """Forget the entries before a position."""
        await self._redis.xtrim(_STREAM, minid=entry_of(position), approximate=True)

    async def _added(
        self, epoch: Epoch, origin: str, number: int, key: str, text: str
    ) -> Position | None:
        keys = [_EPOCH, _STREAM, _TOLD]
        args: list[str | int] = [epoch.model_dump_json(), origin, number, key, text]
        entry: str = await self._add(keys=keys, args=args)
        if entry == "gone":
            raise EpochEndedError
        return position_of(epoch.generation, entry) if entry else None


def _epoch(text: str | None) -> Epoch | None:
    return Epoch.model_validate_json(text) if text else None


def _batch(epoch: Epoch, after: Position, entries: Sequence[tuple[str, dict[str, str]]]) -> Batch:
    changes: list[ToldChange] = []
    recaps: list[Recap] = []
    odd: list[str] = []
    position = after
    for number, fields in entries:
        position = position_of(epoch.generation, number)
        try:
            key = fields["key"]
            if key == "recap":
                recaps.append(Recap.model_validate_json(fields["change"]))
                continue
            told = _Told.model_validate_json(fields["change"])
            change = Change(told.id, told.entry)
            changes.append(
                ToldChange(
                    fields["origin"], int(fields["number"]), key or position, position, change
                )
            )
        except (KeyError, ValueError, ValidationError):
            odd.append(number)
    return Batch(position, changes, recaps, odd, len(entries))
