"""The journal: what was added to a bundle and deleted from it since it was built.

::

    journal.sqlite   all changes in order
    pictures/        the pictures that came with them, by the hash of their content

A change that was appended survives the end of the process and of the machine: it is on the disk
before :meth:`Journal.append` returns. The offline job puts the changes into a new bundle, which
says up to which of them it holds; the service applies the later ones.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from semcore.errors import JournalError
from semcore.file_name import FileNameOrNone
from semcore.filter import MetadataFields
from semcore.flush import flush
from semcore.identifier import Identifier
from semcore.item import ADDED, Item, Kind

_FILE, _PICTURES, _LOCK = "journal.sqlite", "pictures", "lock"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, entry TEXT, told INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS by_id ON changes (id, number);
CREATE INDEX IF NOT EXISTS untold ON changes (number) WHERE NOT told;
CREATE TABLE IF NOT EXISTS own (name TEXT NOT NULL, place TEXT NOT NULL);
"""


class Entry(BaseModel):
    """An item as it was added.

    Attributes:
        pair: the picture that it belongs to.
        captions: what the identifier of a picture is made of, or the one text itself.
        image: path of the picture below the journal's folder of pictures; empty for a text.
        identifier: as text, made with the clusters of the bundle that served.
        clusters: fingerprint of these clusters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: Literal["image", "text"]
    pair: str
    captions: tuple[str, ...]
    image: FileNameOrNone
    metadata: MetadataFields
    identifier: str
    clusters: str

    def item(self, identifier: str | None = None) -> Item:
        """The item, with another identifier where the clusters have become others."""
        kind: Kind = self.kind
        return Item(
            self.id, kind, ADDED, self.pair, False, " ".join(self.captions), self.image,
            identifier or self.identifier, metadata=self.metadata,
        )  # fmt: skip

    def item_for(self, clusters: str, name: Callable[[Kind, Sequence[str]], Identifier]) -> Item:
        """The item in an index, named anew where the clusters are others than they were.

        Args:
            clusters: fingerprint of the index's clusters.
            name: names an item by them, see :meth:`semcore.naming.Namer.name`.
        """
        if self.clusters == clusters:
            return self.item()
        return self.item(name(self.kind, self.captions).text)


@dataclass(frozen=True, slots=True)
class Change:
    """An item was added or replaced, or (no ``entry``) deleted."""

    id: str
    entry: Entry | None


class Journal:
    """The changes in one folder, which is made with the first of them. One process writes."""

    def __init__(self, folder: Path) -> None:
        """Raises :class:`JournalError` if there is something that is no journal."""
        self._folder = folder
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._name = ""
        # One connection for all threads: none may see or commit what another has half written.
        self._turn = RLock()
        if (folder / _FILE).exists():
            with self._alone("cannot be read"):
                self._open()

    @property
    def name(self) -> str:
        """What tells it from other journals; "" before the first change."""
        return self._name

    @property
    def pictures(self) -> Path:
        """The folder that the images of entries lie in."""
        return self._folder / _PICTURES

    @property
    def last(self) -> int:
        """The number of the last change, 0 before the first."""
        if self._connection is None:
            return 0
        with self._alone("cannot be read"):
            # Numbers are never used again, also where the last changes were pruned.
            statement = "SELECT seq FROM sqlite_sequence WHERE name = 'changes'"
            row = self._connection.execute(statement).fetchone()
        return 0 if row is None else int(row[0])

    def since(self, number: int) -> Iterator[Change]:
        """For each item that was changed after a change, the last of its changes, in order."""
        if self._connection is None:
            return
        statement = (
            "SELECT id, entry FROM changes WHERE number IN "
            "(SELECT max(number) FROM changes WHERE number > ? GROUP BY id) ORDER BY number"
        )
        with self._alone("cannot be read"):
            rows = self._connection.execute(statement, (number,)).fetchall()
            changes = [_change(item_id, entry) for item_id, entry in rows]
        yield from changes

    def append(self, changes: Sequence[Change], place: str | None = None) -> None:
        """Write changes, all or none of them, to the disk.

        Args:
            place: up to where other replicas' changes have been read with these; None for changes
                of this replica, which others are to be told.

        Raises :class:`JournalError` if that is impossible, or another process writes.
        """
        with self._alone("cannot be written"):
            connection = self._writable()
            with connection:
                connection.executemany(
                    "INSERT INTO changes (id, entry, told) VALUES (?, ?, ?)",
                    (
                        (change.id, change.entry and change.entry.model_dump_json(), bool(place))
                        for change in changes
                    ),
                )
                if place is not None:
                    connection.execute("UPDATE own SET place = ?", (place,))

    @property
    def place(self) -> str:
        """Up to where the changes of other replicas have been read; "0" at first."""
        if self._connection is None:
            return "0"
        with self._alone("cannot be read"):
            (place,) = self._connection.execute("SELECT place FROM own").fetchone()
        return str(place)

    def untold(self, most: int) -> list[tuple[int, Change]]:
        """The first changes that other replicas were not told yet, with their numbers."""
        if self._connection is None:
            return []
        statement = "SELECT number, id, entry FROM changes WHERE NOT told ORDER BY number LIMIT ?"
        with self._alone("cannot be read"):
            rows = self._connection.execute(statement, (most,)).fetchall()
            return [(number, _change(item_id, entry)) for number, item_id, entry in rows]

    def untold_ids(self) -> set[str]:
        """The ids of all items with changes that other replicas were not told yet."""
        if self._connection is None:
            return set()
        with self._alone("cannot be read"):
            rows = self._connection.execute("SELECT id FROM changes WHERE NOT told").fetchall()
        return {item_id for (item_id,) in rows}

    def count_untold(self) -> int:
        """How many changes other replicas were not told yet."""
        if self._connection is None:
            return 0
        with self._alone("cannot be read"):
            statement = "SELECT count(*) FROM changes WHERE NOT told"
            (count,) = self._connection.execute(statement).fetchone()
        return int(count)

    def tell(self, number: int) -> None:
        """Other replicas know of all changes up to a number."""
        with self._alone("cannot be written"), self._writable() as connection:
            statement = "UPDATE changes SET told = 1 WHERE number <= ? AND NOT told"
            connection.execute(statement, (number,))

    def keep_picture(self, content: bytes, suffix: str) -> str:
        """Write a picture's file to the disk; its path below :attr:`pictures`."""
        with self._faults("cannot be written"):
            with self._turn:
                self._writable()
            self.pictures.mkdir(exist_ok=True)
            target = self.pictures / f"{hashlib.sha256(content).hexdigest()}{suffix}"
            if not target.exists():
                descriptor, part = tempfile.mkstemp(dir=self.pictures)
                try:
                    with os.fdopen(descriptor, "wb") as file:
                        file.write(content)
                        file.flush()
                        os.fsync(descriptor)
                    Path(part).rename(target)
                except BaseException:
                    Path(part).unlink()
                    raise
                flush(self.pictures)
        return target.name

    def prune(self, number: int, *, untold: bool = True) -> None:
        """Forget the changes up to a number, which all bundles in use hold.

        Args:
            untold: also those that other replicas were not told, since there are none.
        """
        if self._lock is not None and self._connection is not None:
            with self._alone("cannot be written"), self._connection:
                statement = "DELETE FROM changes WHERE number <= ? AND (told OR ?)"
                self._connection.execute(statement, (number, untold))

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    @contextmanager
    def _alone(self, fault: str) -> Iterator[None]:
        """No other thread uses the connection."""
        with self._faults(fault), self._turn:
            yield

    @contextmanager
    def _faults(self, fault: str) -> Iterator[None]:
        """What goes wrong is a :class:`JournalError`."""
        try:
            yield
        except (sqlite3.Error, OSError, ValidationError) as error:
            raise JournalError(f"the journal {self._folder} {fault}: {error}") from error

    def _writable(self) -> sqlite3.Connection:
        """The connection, locked against other processes."""
        if self._lock is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(lock)
                raise JournalError(
                    f"another service writes to {self._folder}; give each its own SEMCORE_JOURNAL"
                ) from error
            self._lock = lock
        return self._connection or self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._folder / _FILE, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        with connection:
            connection.execute(
                "INSERT INTO own SELECT ?, '0' WHERE NOT EXISTS (SELECT 1 FROM own)",
                (uuid.uuid4().hex[:8],),
            )
        (self._name,) = connection.execute("SELECT name FROM own").fetchone()
        flush(self._folder)
        self._connection = connection
        return connection


def _change(item_id: str, entry: str | None) -> Change:
    return Change(item_id, None if entry is None else Entry.model_validate_json(entry))
