"""The file of a journal: one connection for all threads, and one process that writes."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from pydantic import BaseModel

from semcore.errors import JournalError
from semcore.flush import flush
from semcore.journal import journal_schema as schema

_FILE, _LOCK = "journal.sqlite", "lock"


class JournalFile:
    """SQLite in a folder, which is made with the first write."""

    def __init__(self, folder: Path) -> None:
        """Raises :class:`JournalError` if there is something that is no journal."""
        self._folder = folder
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None
        # No thread may see or commit what another one has half written.
        self._turn = RLock()
        if (folder / _FILE).exists():
            with self._faults("cannot be read"):
                self._open()

    @property
    def is_locked(self) -> bool:
        """Whether this process has written."""
        return self._lock is not None

    def read(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows; none before the first write. Raises :class:`JournalError`."""
        if self._connection is None:
            return []
        with self._faults("cannot be read"), self._turn:
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, on the disk once the block has ended.

        Raises :class:`JournalError` if that is impossible, or another process writes.
        """
        with self._faults("cannot be written"), self._turn, self._writable() as connection:
            yield connection

    def fact(self, name: str) -> str:
        """What was noted under a name; "" before that."""
        rows = self.read("SELECT value FROM facts WHERE name = ?", [name])
        return str(rows[0][0]) if rows else ""

    def set_fact(self, name: str, value: BaseModel | str) -> None:
        """Note something, within a transaction."""
        text = value if isinstance(value, str) else value.model_dump_json()
        self._writable().execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, text))

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    @contextmanager
    def _faults(self, fault: str) -> Iterator[None]:
        """What goes wrong is a :class:`JournalError`."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
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
        try:
            connection.execute("PRAGMA synchronous = FULL")
            schema.prepare(connection)
        except BaseException:
            connection.close()
            raise
        flush(self._folder)
        self._connection = connection
        return connection
