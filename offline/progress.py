"""Progress bars, with rate and time left, for whatever takes more than two seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

_T = TypeVar("_T")


def progress(items: Iterable[_T], title: str, total: int | None = None) -> Iterator[_T]:
    """Iterate with a bar that appears after two seconds."""
    yield from tqdm(items, desc=title, total=total, delay=2.0, dynamic_ncols=True)
