"""Connections to an SQLite file that never changes: each thread has one, so that none waits."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import local

from semcore.errors import BundleError


class Connections:
    """Those of all threads to one file."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`BundleError` if the file cannot be opened."""
        self._path = path
        self._opened: local | None = local()
        _ = self.own

    @property
    def own(self) -> sqlite3.Connection:
        """That of this thread.

        Raises:
            BundleError: it is the first one of the thread, and the file cannot be opened.
            ValueError: they were closed.
        """
        opened = self._opened
        if opened is None:
            raise ValueError(f"{self._path} was closed")
        if not hasattr(opened, "own"):
            opened.own = self._open()
        own: sqlite3.Connection = opened.own
        return own

    def close(self) -> None:
        """Let all go; what a thread is reading at this moment it reads to its end."""
        self._opened = None

    def _open(self) -> sqlite3.Connection:
        # The path is quoted: its signs would end it, or stand for others.
        uri = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            # A thread may read on where another one has begun, though not at the same time.
            return sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise BundleError(
                f"{self._path} cannot be opened ({error}); build the bundle again"
            ) from error
