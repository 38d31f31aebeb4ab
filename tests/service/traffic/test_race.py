"""Work ends early where an event comes first, and nothing of the two is left behind."""

import asyncio

import pytest

from service.traffic.race import unless


class EndedError(Exception):
    """The event came first."""


async def forever(was_cancelled: asyncio.Event) -> str:
    try:
        await asyncio.Future()
    except asyncio.CancelledError:
        was_cancelled.set()
        raise
    return "never"


async def test_the_result_of_work_that_comes_first() -> None:
    is_left = asyncio.Event()

    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await unless(forever(is_left), work(), EndedError) == "done"
    await asyncio.wait_for(is_left.wait(), 60)


async def test_an_event_ends_the_work() -> None:
    is_over, is_left = asyncio.Event(), asyncio.Event()
    racing = asyncio.create_task(unless(is_over.wait(), forever(is_left), EndedError))
    await asyncio.sleep(0.01)
    assert not racing.done()
    is_over.set()
    with pytest.raises(EndedError):
        await racing
    await asyncio.wait_for(is_left.wait(), 60)


async def test_where_both_are_there_the_work_counts() -> None:
    async def at_once() -> str:
        return "done"

    assert await unless(at_once(), at_once(), EndedError) == "done"


async def test_an_error_of_the_work_is_its_own() -> None:
    async def fail() -> str:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await unless(asyncio.Future(), fail(), EndedError)


async def test_who_waits_no_more_ends_both() -> None:
    event, work = asyncio.Event(), asyncio.Event()
    racing = asyncio.create_task(unless(forever(event), forever(work), EndedError))
    await asyncio.sleep(0.01)
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    await asyncio.wait_for(asyncio.gather(event.wait(), work.wait()), 60)
