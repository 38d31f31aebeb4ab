"""A filter is worked out once for all who ask, and one that is known waits for none that is not."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from semcore.bundle.filter import Filter
from service.index.filtered_sides import THREADS, FilteredSides, filter_key


class Work:
    """Takes until it may end."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = threading.Event()

    def __call__(self) -> str:
        self.begun += 1
        assert self.may_end.wait(60)
        return "left"


@pytest.fixture
def busy() -> Iterator[Work]:
    """Work for all threads."""
    work = Work()
    yield work
    work.may_end.set()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.001)


async def test_one_works_for_all_and_it_is_kept() -> None:
    sides: FilteredSides[str] = FilteredSides(10_000, len)
    work = Work()
    asking = [asyncio.create_task(sides.of("a", work)) for _ in range(20)]
    await asyncio.sleep(0.01)
    work.may_end.set()
    assert await asyncio.gather(*asking) == ["left"] * 20
    assert await sides.of("a", work) == "left"
    assert work.begun == 1


async def test_what_is_known_waits_for_nothing(busy: Work) -> None:
    sides: FilteredSides[str] = FilteredSides(10_000, len)
    assert await sides.of("known", lambda: "here") == "here"
    asking = [asyncio.create_task(sides.of(f"new {n}", busy)) for n in range(12)]
    await until(lambda: busy.begun == THREADS)
    async with asyncio.timeout(60):
        assert await sides.of("known", busy) == "here"
        # Nor do those who use the loop's own threads, such as an upload.
        assert await asyncio.to_thread(lambda: "read") == "read"
    assert not any(task.done() for task in asking)
    busy.may_end.set()
    await asyncio.gather(*asking)


async def test_what_nobody_waits_for_does_not_begin(busy: Work) -> None:
    sides: FilteredSides[str] = FilteredSides(10_000, len)
    running = [asyncio.create_task(sides.of(f"{n}", busy)) for n in range(THREADS)]
    await until(lambda: busy.begun == THREADS)
    late = Work()
    waiting = asyncio.create_task(sides.of("late", late))
    await asyncio.sleep(0.01)
    waiting.cancel()
    running[0].cancel()  # goes on, and is kept
    await asyncio.gather(waiting, running[0], return_exceptions=True)
    busy.may_end.set()
    await running[1]
    await until(lambda: sides.known("0") is not None)
    late.may_end.set()
    assert late.begun == 0
    assert await sides.of("late", late) == "left"
    assert late.begun == 1


async def test_all_get_the_error_and_the_next_one_tries_again() -> None:
    sides: FilteredSides[str] = FilteredSides(10_000, len)

    def fail() -> str:
        raise ValueError("bad")

    told = await asyncio.gather(*(sides.of("a", fail) for _ in range(3)), return_exceptions=True)
    assert [str(error) for error in told] == ["bad"] * 3
    assert await sides.of("a", lambda: "good") == "good"


def test_keys_are_short_and_tell_filters_apart() -> None:
    long = Filter.model_validate({"field": "year", "in": list(range(1000))})
    other = Filter.model_validate({"field": "year", "in": list(range(999))})
    assert filter_key(long) == filter_key(long.model_copy())
    assert filter_key(long) != filter_key(other)
    assert len(filter_key(long)) == 64
