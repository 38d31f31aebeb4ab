"""Looks into the items are made in threads of their own, and the loop goes on meanwhile."""

import asyncio
import threading

import pytest

from service.index.lookup import look_up


async def test_finds_what_the_look_finds_in_another_thread() -> None:
    def look(*numbers: int, plus: int) -> tuple[int, str]:
        return sum(numbers) + plus, threading.current_thread().name

    found, thread = await look_up(look, 1, 2, plus=3)
    assert found == 6
    assert thread.startswith("lookup")


async def test_the_loop_goes_on_and_others_look_too() -> None:
    may_end, begun = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert may_end.wait(60)
        return "late"

    looking = asyncio.create_task(look_up(slow))
    try:
        while not begun.is_set():
            await asyncio.sleep(0.001)
        assert await look_up(lambda: "at once") == "at once"
        # Nor are the loop's own threads taken, by which files are read elsewhere.
        assert await asyncio.to_thread(lambda: "read") == "read"
        assert not looking.done()
    finally:
        may_end.set()
    assert await looking == "late"


async def test_errors_are_those_of_the_look() -> None:
    def fail() -> None:
        raise KeyError("none of this number")

    with pytest.raises(KeyError, match="none of this number"):
        await look_up(fail)
