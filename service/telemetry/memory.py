"""The memory that the service takes."""

from __future__ import annotations

from contextlib import suppress

import psutil


def resident_bytes() -> int:
    """Resident memory of this process and of all that it started, as the engine's."""
    own = psutil.Process()
    total = 0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            total += process.memory_info().rss
    return total
