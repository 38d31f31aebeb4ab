"""The journal: what was added to a bundle and deleted from it since it was built.

::

    journal.sqlite   all changes, as they came
    pictures/        the pictures that came with them, unless replicas share another folder

A change that was appended survives the end of the process and of the machine: it is on the disk
before :meth:`Journal.append` returns. Of each item the last change stays for good, so that a bundle
that was built without it can be brought up to date at any time; the changes before it go once all
bundles in use hold them.

The order of changes is that of the stream by which replicas tell each other; those that were not
told yet come last.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from semcore.clock import Clock, Position
from semcore.errors import BundleError, JournalError
from semcore.journal import journal_schema as schema
from semcore.journal.change import Change, Entry, ToldChange
from semcore.journal.journal_file import JournalFile
from semcore.journal.picture_folder import PictureFolder

_PICTURES = "pictures"
_NO_EPOCH = "0:"  # of a journal whose stream nobody has seen yet


class Journal:
    """The changes in one folder, which is made with the first of them. One process writes."""

    def __init__(
        self, folder: Path, pictures: Path | None = None, *, has_stream: bool = False
    ) -> None:
        """
        Args:
            has_stream: there are other replicas, and a stream to tell them by.
            pictures: the folder of the pictures; that which was used last unless told.

        Raises:
            JournalError: there is something that is no journal.
        """
        self.folder = folder
        self._has_stream = has_stream
        self._file = JournalFile(folder)
        used = self._file.fact(schema.PICTURES) or folder / _PICTURES
        self.pictures = PictureFolder(pictures or Path(used))

    @property
    def picture_folders(self) -> list[Path]:
        """Where pictures of items may lie: earlier programs kept them in the journal's folder."""
        return list(dict.fromkeys([self.pictures.path, self.folder / _PICTURES]))

    @property
    def name(self) -> str:
        """What tells it from other journals; "" before the first change."""
        return self._file.fact(schema.NAME)

    @property
    def last(self) -> int:
        """The number of the change that came last, 0 before the first."""
        # Numbers are never used again, also where the last changes are gone.
        rows = self._file.read("SELECT seq FROM sqlite_sequence WHERE name = 'changes'")
        return int(rows[0][0]) if rows else 0

    @property
    def read(self) -> Clock:
        """Up to where the changes of all replicas were read."""
        return self._clock(schema.READ)

    @property
    def floor(self) -> Clock:
        """Changes up to it may be missing here, hence every bundle has to hold them."""
        return self._clock(schema.FLOOR)

    @property
    def epoch(self) -> str:
        """The name of the stream that it belongs to; "" without one."""
        return self._file.fact(schema.EPOCH)

    @property
    def has_joined(self) -> bool:
        """Whether it has ever belonged to a stream."""
        return self.epoch not in ("", _NO_EPOCH)

    def check(self, held: Clock) -> None:
        """Raises :class:`BundleError` if a bundle lacks changes that this journal lacks, too.

        Args:
            held: what the bundle holds.
        """
        floor = self.floor
        if not held.covers(floor):
            raise BundleError(
                f"the bundle lacks changes of items that the journal {self.folder} lacks, too: it "
                f"holds those up to {held}, and should up to {floor}; compact it with the journal "
                "of a replica that has them ('semcore compact --journal'), or serve the bundle "
                "that was compacted last"
            )

    def changes(
        self, held: Clock, after: int = 0, set_aside: Sequence[str] = (), *, settled: bool = False
    ) -> list[Change]:
        """For each item that has changed, the change that counts, unless a bundle holds it.

        Args:
            held: what the bundle holds.
            after: only items with a change that came after this number.
            set_aside: ids of items whose changes the bundle could not take, though it counts them.
            settled: leave out changes that another one may still come before.
        """
        known = self._settled() if settled else None
        rows = self._file.read(*schema.counting(held, after, set_aside, known))
        return [_change(item_id, entry) for item_id, entry in rows]

    def holding(self, held: Clock) -> Clock:
        """What a bundle holds once the settled changes are put into one that holds ``held``."""
        rows = self._file.read(*schema.last_without_stream(self.name, self._settled()))
        own = {self.name: int(rows[0][0])} if rows and rows[0][0] else {}
        return held.merged(self.read, Clock(journals=own))

    def unsettled(self, held: Clock) -> int:
        """The number of the last change that a bundle lacks and that has no place in the order yet,
        as far as that was read; 0 if there is none."""
        rows = self._file.read(*schema.last_unsettled(held, self.read))
        return int(rows[0][0] or 0) if rows else 0

    def lacking(self, held: Clock) -> tuple[int, int]:
        """How many changes a bundle lacks, and when the first of them came, in seconds since 1970;
        0 if there is none."""
        rows = self._file.read(*schema.lacking(held))
        return (int(rows[0][0]), int(rows[0][1] or 0)) if rows else (0, 0)

    def append(self, changes: Sequence[Change]) -> None:
        """Write changes of this service, all or none of them, to the disk.

        Raises :class:`JournalError` if that is impossible, or another process writes.
        """
        with self._file.writing() as connection:
            if self._has_stream and not self.epoch:
                self._file.set_fact(schema.EPOCH, _NO_EPOCH)
            for number, change in enumerate(changes, start=self.last + 1):
                row = schema.row(self.name, number, change, number=number)
                connection.execute(schema.INSERT, row)

    def keep_picture(self, content: bytes, suffix: str) -> str:
        """Write a picture's file to the disk, before the change that names it.

        Raises :class:`JournalError` if that is impossible, or another process writes.
        """
        path = str(self.pictures.path.resolve())
        with self._file.writing():
            if self._file.fact(schema.PICTURES) != path:
                self._file.set_fact(schema.PICTURES, path)
            return self.pictures.keep(content, suffix)

    def follow(self, told: Sequence[ToldChange], position: Position) -> None:
        """Write changes that were read in the stream, up to a position of it.

        A change that is known already gets its place in the order, or an earlier one.
        """
        with self._file.writing() as connection:
            for one in told:
                _take(connection, one)
            self._file.set_fact(schema.READ, self.read.merged(Clock.at([position])))

    def adopt(self, held: Clock, *, skip: bool = False) -> None:
        """Begin, or go on, with a bundle. Changes of others that it holds may be missing here.

        Args:
            skip: the stream up to the bundle's positions will not be read.
        """
        others = {name: last for name, last in held.journals.items() if name != self.name}
        behind = [one for one in held.positions if not self.read.covers(Clock.at([one]))]
        floor = self.floor.merged(Clock(journals=others), Clock.at(behind if skip else []))
        own = held.journals.get(self.name, 0)
        leaves = bool(self.epoch) and not self._has_stream
        if floor == self.floor and own <= self.last and not leaves:
            return
        with self._file.writing() as connection:
            self._file.set_fact(schema.FLOOR, floor)
            if leaves:
                self._file.set_fact(schema.EPOCH, "")
            if skip:
                self._file.set_fact(schema.READ, self.read.merged(Clock.at(behind)))
            if own > self.last:  # a journal from a backup: its next changes must not count as held
                connection.execute("DELETE FROM sqlite_sequence WHERE name = 'changes'")
                connection.execute("INSERT INTO sqlite_sequence VALUES ('changes', ?)", (own,))

    def join(self, epoch: str, held: Clock) -> None:
        """Belong to a stream from now on.

        Changes that the bundle holds and that no stream knows count as the first of all. The others
        are to be told, also those of which the stream before did not say where they stand.

        Args:
            epoch: the stream's name.
            held: what the bundle that serves holds.
        """
        if epoch != self.epoch:
            with self._file.writing() as connection:
                connection.execute(*schema.settle_held(held))
                connection.execute(schema.TELL_AGAIN)
                self._file.set_fact(schema.EPOCH, epoch)

    def recall(self, clock: Clock) -> None:
        """Note that all is known up to a clock: those who knew it have told it once more."""
        if not self.read.covers(clock):
            with self._file.writing():
                self._file.set_fact(schema.READ, self.read.merged(clock))

    def untold(self, most: int) -> list[tuple[int, Change]]:
        """The first changes that other replicas were not told yet, with their numbers."""
        return [
            (number, _change(item_id, entry))
            for number, item_id, entry in self._file.read(schema.UNTOLD, [most])
        ]

    def count_untold(self) -> int:
        """How many changes other replicas were not told yet."""
        rows = self._file.read("SELECT count(*) FROM changes WHERE NOT told")
        return int(rows[0][0]) if rows else 0

    def tell(self, number: int, position: Position | None) -> None:
        """Other replicas know of a change, which has this position; None where that is not known
        before it was read."""
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE changes SET told = 1, key = coalesce(key, ?), arrival = ? WHERE number = ?",
                (position, position, number),
            )

    def told(self, held: Clock, after: int, most: int) -> list[tuple[int, ToldChange]]:
        """The first changes after a number that have a place in the order and that a bundle lacks,
        with their numbers here: a stream that follows a lost one is told of them once more."""
        rows = self._file.read(*schema.told(held, after, most))
        return [
            (number, ToldChange(origin, its, key, arrival, _change(item_id, entry)))
            for number, origin, its, key, arrival, item_id, entry in rows
        ]

    def prune(self, clocks: Sequence[Clock], *, pictures_after: float = 0.0) -> None:
        """Forget changes that all bundles in use hold and that others follow, and pictures that no
        item has any more.

        Args:
            clocks: what each of the bundles holds.
            pictures_after: see :meth:`semcore.journal.picture_folder.PictureFolder.remove`.
        """
        if not self._file.is_locked:
            return
        with self._file.writing() as connection:
            rows = connection.execute(*schema.followed(clocks, told_only=bool(self.epoch)))
            followed = rows.fetchall()
            numbers = [(number,) for number, _ in followed]
            images = [(image,) for _, image in followed if image]
            connection.executemany("DELETE FROM changes WHERE number = ?", numbers)
            connection.executemany("INSERT OR IGNORE INTO unused VALUES (?)", images)
            connection.execute(schema.STILL_USED)
            unused = [name for (name,) in connection.execute("SELECT image FROM unused")]
        if unused:
            with self._file.writing() as connection:
                gone = self.pictures.remove(unused, pictures_after)
                connection.executemany("DELETE FROM unused WHERE image = ?", [(n,) for n in gone])

    def close(self) -> None:
        self._file.close()

    def _settled(self) -> schema.Statement | None:
        """A condition, None where it holds for all changes: without a stream nothing comes
        before."""
        return schema.settled(self.read) if self.epoch else None

    def _clock(self, name: str) -> Clock:
        found = self._file.fact(name)
        return Clock.model_validate_json(found) if found else Clock()


def _take(connection: sqlite3.Connection, told: ToldChange) -> None:
    """Write a change that was told, or what is new about one that is known."""
    named = (told.origin, told.number)
    known = connection.execute(
        "SELECT number, key FROM changes WHERE origin = ? AND origin_number = ?", named
    ).fetchone()
    if known is not None and (known[1] is None or known[1] <= told.key):
        connection.execute(
            "UPDATE changes SET key = coalesce(key, ?), arrival = ?, told = 1 WHERE number = ?",
            (told.key, told.arrival, known[0]),
        )
        return
    if known is not None:  # it stands earlier than was known: what counts is to be looked at anew
        connection.execute("DELETE FROM changes WHERE number = ?", (known[0],))
    row = schema.row(*named, told.change, key=told.key, arrival=told.arrival)
    connection.execute(schema.INSERT, row)


def _change(item_id: str, entry: str | None) -> Change:
    try:
        return Change(item_id, None if entry is None else Entry.model_validate_json(entry))
    except ValidationError as error:
        raise JournalError(
            f"the journal's entry of the item {item_id!r} cannot be read ({error}); use the "
            "program that wrote it"
        ) from error
