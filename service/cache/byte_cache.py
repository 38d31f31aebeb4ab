"""A cache of objects that are bounded by their bytes: those used last stay."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

Content = TypeVar("Content")


class ByteCache(Generic[Content]):
    """Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        """``most``: bytes of all together; what is larger by itself is not kept."""
        self._most = most
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[Content, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> tuple[Content] | None:
        """What is kept under a key, by itself in a tuple; None if there is nothing."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return (self._kept[key][0],)

    def put(self, key: str, content: Content, size: int) -> None:
        """Args:
        size: bytes that it takes, its key included.
        """
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))
            self._kept[key] = content, size
            self._bytes += size - before
            while self._bytes > self._most:
                _, (_, gone) = self._kept.popitem(last=False)
                self._bytes -= gone

    @property
    def size(self) -> int:
        """Bytes of all that is kept."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._kept)
