"""Replication: what one replica has added and deleted, the others write to their own journals.

All of them follow one stream of changes in Redis, their own included, so that they end up with the
same items even where two have changed one at the same time. What a replica has changed it shows at
once, and it counts as the last change of its item until the stream says where it stands.

A replica that may lack changes of others is *lost*: it serves, but is not ready, and reads on once
it serves a bundle that holds them.
"""

from __future__ import annotations

import asyncio
import logging
import time

import redis.asyncio

from semcore.clock import Clock, Position, generation_of, position_of
from semcore.journal.change import Change
from semcore.journal.journal import Journal
from service.living.change_stream import ChangeStream, Epoch, EpochEndedError, Recap
from service.living.item_writer import Writer
from service.living.reload import Lifecycle
from service.telemetry import metrics

_WAIT = 1_000  # milliseconds that a read of the stream blocks
_BATCH = 200  # entries read or told at a time
_KEPT = 7 * 24 * 3600  # seconds that the stream goes back at least
_PATIENCE = 10.0  # seconds
_log = logging.getLogger("semcore")


class Replication:
    """Changes of items, from this replica to the others and back.

    Attributes:
        lost: why this replica may lack changes of others; "" where it does not.
        read: set once all of the stream was read.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        lifecycle: Lifecycle,
        writer: Writer,
        journal: Journal,
    ) -> None:
        self.lost = ""
        self.read = asyncio.Event()
        self._stream = ChangeStream(client)
        self._lifecycle = lifecycle
        self._writer = writer
        self._journal = journal
        self._epoch: Epoch | None = None  # None where it has to be joined
        self._checked: tuple[str, Clock] | None = None  # the stream and bundle that agree
        self._lacks_pictures = False

    async def catch_up(self) -> None:
        """Join the stream, and read what is there.

        Raises what Redis raises, and ``TimeoutError`` if it does not answer.
        """
        while not self.read.is_set() and not self.lost:
            async with asyncio.timeout(_PATIENCE):
                await self._turn(None)

    async def follow(self) -> None:
        """Read the stream for good."""
        while True:
            await self._turn(_WAIT)
            if self.lost:
                await asyncio.sleep(_WAIT / 1000)

    async def tell(self) -> None:
        """Tell the others of this replica's changes, for good."""
        while True:
            # The answer to what was told last may be lost; whether it was told, the stream says.
            await self.read.wait()
            self._writer.written.clear()
            try:
                await self._tell_all()
            except EpochEndedError:
                self._leave()
                continue
            await self._writer.written.wait()

    async def count_untold(self) -> None:
        """Let the metrics say how many changes wait to be told."""
        metrics.UNTOLD.set(await asyncio.to_thread(self._journal.count_untold))

    async def trim(self, held: list[Clock]) -> None:
        """Forget the entries that all bundles hold.

        Args:
            held: what the bundles of each replica hold.
        """
        epoch = self._epoch
        if epoch is not None and held and not self.lost:
            position = held[0].common(*held[1:]).within(epoch.generation)
            oldest = position_of(epoch.generation, str(int(1000 * (time.time() - _KEPT))))
            if position:
                await self._stream.trim(min(position, oldest))

    async def _turn(self, wait: int | None) -> None:
        """Join where that is due, and read once."""
        try:
            if self._epoch is None or self.lost:
                self._epoch = await self._join()
            if not self.lost:
                await self._read(self._epoch, wait)
        except EpochEndedError:
            self._leave()

    def _leave(self) -> None:
        self._epoch = None
        self.read.clear()
        self._writer.written.set()  # there may be more to tell in the next one

    async def _read(self, epoch: Epoch, wait: int | None) -> None:
        after = await asyncio.to_thread(self._cursor, epoch)
        batch = await self._stream.read(epoch, after, _BATCH, wait)
        for number in batch.odd:
            _log.warning("replication: entry %s is none of ours", number)
        if batch.count:
            more = batch.count == _BATCH
            await self._writer.follow(batch.changes, batch.position, show=not more)
            await asyncio.to_thread(self._note_pictures, [one.change for one in batch.changes])
        for recap in batch.recaps:
            await asyncio.to_thread(self._recall, epoch, recap)
        if batch.count < _BATCH:
            await self._check_base(epoch)
            self.read.set()

    async def _join(self) -> Epoch:
        """Find the stream that goes on, or begin one, and see whether all is there."""
        index = self._lifecycle.current
        known = await asyncio.to_thread(self._known, index.held)
        epoch = await self._stream.epoch()
        cursor = "" if epoch is None else self._cursor(epoch)
        rest = "all" if epoch is None else await self._stream.after(epoch, cursor)
        if epoch is None or self._is_behind(epoch, known) or rest == "rewound":
            epoch = await self._begin(epoch, known, index.held)
            cursor = self._cursor(epoch)
            rest = await self._stream.after(epoch, cursor)
        at = index.held.within(epoch.generation)
        skips = rest == "cut" and at and await self._stream.after(epoch, at) == "all"
        lost = ""
        if not known.covers(epoch.base):
            lost = f"others began with a bundle that holds changes up to {epoch.base}"
        elif rest != "all" and not skips:
            lost = "changes that it did not read are no longer in Redis"
        self._say(lost, index.held)
        if not lost:
            if self._journal.epoch != epoch.text:
                await self._tell_again(epoch, index.held, known)
            await asyncio.to_thread(self._belong, epoch, index.held, bool(skips))
        return epoch

    async def _begin(self, before: Epoch | None, known: Clock, held: Clock) -> Epoch:
        last = max(generation_of(known.position), 0 if before is None else before.generation)
        return await self._stream.begin(before, max(last + 1, int(1000 * time.time())), held)

    async def _check_base(self, epoch: Epoch) -> None:
        """Begin another stream where the bundle holds changes that this one cannot tell of: who
        lacks them has to know.

        Raises :class:`EpochEndedError` then.
        """
        held = self._lifecycle.current.held
        if (epoch.text, held) == self._checked:
            return
        missing = await asyncio.to_thread(self._not_told, epoch, held)
        if not epoch.base.covers(missing):
            known = await asyncio.to_thread(self._known, held)
            await self._begin(epoch, known, held)
            raise EpochEndedError
        self._checked = epoch.text, held

    def _not_told(self, epoch: Epoch, held: Clock) -> Clock:
        """What is held of earlier streams, and is not in the journal, so that only a bundle has
        it."""
        journal = self._journal
        read = journal.read
        only = [p for p in held.positions if not read.covers(Clock.at([p]))]
        missing = journal.floor.merged(Clock.at(only))
        return Clock.at(p for p in missing.positions if generation_of(p) < epoch.generation)

    def _belong(self, epoch: Epoch, held: Clock, skips: bool) -> None:
        # What came before the stream began, it cannot be asked for.
        self._journal.adopt(held.merged(epoch.base) if skips else epoch.base, skip=True)
        self._journal.join(epoch.text, held)

    def _known(self, held: Clock) -> Clock:
        """What is known here: by the bundle, or the journal."""
        journal = self._journal
        own = Clock(journals={journal.name: journal.last} if journal.name else {})
        return held.merged(journal.read, journal.floor, own)

    def _is_behind(self, epoch: Epoch, known: Clock) -> bool:
        """Whether the stream was begun by one who knew less than is known here."""
        generation, name = generation_of(known.position), self._journal.epoch
        same = name.partition(":")[0] == str(epoch.generation)
        return generation > epoch.generation or (same and name != epoch.text)

    def _cursor(self, epoch: Epoch) -> Position:
        return self._journal.read.within(epoch.generation) or epoch.start

    def _say(self, lost: str, held: Clock) -> None:
        """Note, once, that changes are lost, or found again."""
        reason = lost and (
            f"this replica may lack changes of items: {lost}; it holds those up to "
            f"{held or 'none'}. Compact the bundle with the journal of a replica that is ready "
            "('semcore compact'), and load it here; where none is ready, delete the key "
            "semcore:epoch in Redis, so that all replicas tell their changes anew"
        )
        if reason != self.lost:
            if reason:
                _log.error("replication: %s", reason)
            else:
                _log.info("replication: this replica has the changes of all others again")
        self.lost = reason
        metrics.LOST.set(bool(reason))

    async def _tell_all(self) -> None:
        epoch = self._epoch
        if epoch is None:
            raise EpochEndedError
        while batch := await asyncio.to_thread(self._journal.untold, _BATCH):
            await self.count_untold()
            for number, change in batch:
                position = await self._stream.tell(epoch, self._journal.name, number, change)
                await asyncio.to_thread(self._journal.tell, number, position)
        await self.count_untold()

    async def _tell_again(self, epoch: Epoch, held: Clock, known: Clock) -> None:
        """In a stream that follows a lost one, tell what the bundle of who began it lacks."""
        if not self._journal.has_joined:
            return
        missing = await asyncio.to_thread(self._not_told, epoch, held)
        base = epoch.base if epoch.base.covers(missing) else held
        after = 0
        while batch := await asyncio.to_thread(self._journal.told, base, after, _BATCH):
            for _, told in batch:
                await self._stream.tell_again(epoch, told)
            after = batch[-1][0]
        await self._stream.recap(epoch, Recap(base=base, clock=Clock.at(known.positions)))

    def _recall(self, epoch: Epoch, recap: Recap) -> None:
        """All that another replica knew is known here, too, unless its bundle holds more."""
        if self._known(self._lifecycle.current.held).covers(recap.base):
            before = [p for p in recap.clock.positions if generation_of(p) < epoch.generation]
            self._journal.recall(Clock.at(before))

    def _note_pictures(self, changes: list[Change]) -> None:
        images = [change.entry.image for change in changes if change.entry and change.entry.image]
        lacking = [name for name in images if not (self._journal.pictures.path / name).is_file()]
        if lacking and not self._lacks_pictures:
            self._lacks_pictures = True
            _log.error(
                "replication: %s lacks pictures of items that another replica has added, such as "
                "%s; set SEMCORE_PICTURES to one folder for all replicas",
                self._journal.pictures.path,
                lacking[0],
            )
