"""Work that is cancelled while a thread of it goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Any

import pytest


@asynccontextmanager
async def cancelled(task: asyncio.Task[Any], begun: Event, over: Event) -> AsyncIterator[None]:
    """Cancels ``task`` once its thread has begun; the thread waits for ``over``, which is set as
    the block ends."""
    try:
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        yield
    finally:
        over.set()
