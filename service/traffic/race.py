"""Work that ends early where something else happens first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")


async def unless(
    event: Awaitable[object], work: Awaitable[Answer], error: Callable[[], Exception]
) -> Answer:
    """The result of ``work``; where ``event`` comes first, ``work`` is cancelled and ``error``
    raised."""
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(event)
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise error()
        return task.result()
    finally:
        watch.cancel()
        task.cancel()
