"""Where commands keep what they made, to use it again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_MAKERS = ("offline", "semcore", "service", "cli")


def cache_folder(name: str) -> Path:
    """A folder below the user's cache, one for each state of the code that makes what is in it."""
    sources = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for package in _MAKERS:
        for file in sorted((sources / package).rglob("*.py")):
            digest.update(file.read_bytes())
    return kept_folder(f"{name}-{digest.hexdigest()[:12]}")


def kept_folder(name: str) -> Path:
    """A folder below the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "semcore" / name
