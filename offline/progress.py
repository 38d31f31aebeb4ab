"""What takes long, as it goes on: a bar in a terminal, and a first and a last line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

from semcore.bars import has_bars

_T = TypeVar("_T")


def progress(items: Iterable[_T], title: str, total: int | None = None) -> Iterator[_T]:
    """Iterate with a bar that has rate and time left and appears after two seconds, or between the
    two lines of :class:`Lines`."""
    if has_bars():
        yield from tqdm(items, desc=title, total=total, delay=2.0, dynamic_ncols=True)
        return
    lines, count = Lines(title), 0
    for item in items:
        yield item
        count += 1
    lines.end(count)


class Lines:
    """The first and the last line, on standard error: ``TITLE: begins``, ``TITLE: 9 in 1.5 s``."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._began = time.monotonic()
        self._tell("begins")

    def end(self, count: int) -> None:
        """``count``: how many items, or steps, there were."""
        self._tell(f"{count} in {time.monotonic() - self._began:.1f} s")

    def _tell(self, said: str) -> None:
        print(f"{self._title}: {said}", file=sys.stderr, flush=True)
