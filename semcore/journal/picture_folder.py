"""The folder with the pictures of added items, which all replicas share, by the hash of content."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from semcore.flush import flush


class PictureFolder:
    """Files that never change. The folder is made with the first of them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def name(content: bytes, suffix: str) -> str:
        """The name of the file that holds a picture: SHA-256 of its content, and the suffix."""
        return f"{hashlib.sha256(content).hexdigest()}{suffix}"

    def keep(self, content: bytes, suffix: str) -> str:
        """Write a picture to the disk, unless it is there; the name of its file.

        Raises ``OSError`` if that is impossible.
        """
        target = self.path / self.name(content, suffix)
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked(fcntl.LOCK_SH):
            if target.exists():
                os.utime(target)  # it is wanted again: nobody removes it as one of long ago
                return target.name
            descriptor, part = tempfile.mkstemp(dir=self.path)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(descriptor)
                Path(part).chmod(0o644)  # other replicas may run as another user
                Path(part).rename(target)
            except BaseException:
                Path(part).unlink()
                raise
            flush(self.path)
        return target.name

    def remove(self, names: Iterable[str], older: float = 0.0) -> list[str]:
        """Remove pictures that no item has any more.

        Args:
            older: seconds since they were kept last; younger ones stay, because a replica whose
                changes nobody has read yet may want them again.

        Returns:
            The names of those that are gone.
        """
        if not self.path.is_dir():
            return list(names)
        gone, now = [], time.time()
        with self._locked(fcntl.LOCK_EX):
            for name in names:
                file = self.path / name
                if file.exists():
                    if older and now - file.stat().st_mtime < older:
                        continue
                    file.unlink()
                gone.append(name)
            flush(self.path)
        return gone

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        lock = os.open(self.path, os.O_RDONLY)
        try:
            with suppress(OSError):  # NFS locks no folder; there the age of a file has to do
                fcntl.flock(lock, kind)
            yield
        finally:
            os.close(lock)
