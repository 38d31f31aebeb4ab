"""Looks into the items, in threads of their own, so that the loop waits for no file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_THREADS = 4

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")

_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup")


async def look_up(
    look: Callable[_Given, _Found], *args: _Given.args, **more: _Given.kwargs
) -> _Found:
    """What a short look into the items finds."""
    return await in_threads(_threads, look, *args, **more)


async def in_threads(
    threads: ThreadPoolExecutor,
    work: Callable[_Given, _Found],
    *args: _Given.args,
    **more: _Given.kwargs,
) -> _Found:
    """What some work gives that one of these threads does."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(threads, lambda: work(*args, **more))
