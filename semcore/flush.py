"""Flushing: what was written is on the disk, whatever becomes of the machine."""

from __future__ import annotations

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_all(folder: Path) -> None:
    """As :func:`flush`, of all files and folders in a folder, and of itself."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            flush(Path(place, name))
        flush(Path(place))


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all, and on the disk."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    flush(part)
    part.replace(path)
    flush(path.parent)
