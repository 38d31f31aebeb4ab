"""No more run than may, no more wait than may, and turns are given back whatever happens."""

import asyncio

import pytest

from service.errors import DeadlineError, OverloadedError
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline


async def test_bounds_who_runs_and_who_waits() -> None:
    admission = Admission(running=2, waiting=3)
    end = asyncio.Event()
    most = running = 0

    async def search(*, patient: bool = False) -> None:
        nonlocal most, running
        async with admission.turn(Deadline(), patient=patient):
            running += 1
            most = max(most, running)
            await end.wait()
            running -= 1

    tasks = [asyncio.create_task(search()) for _ in range(2)]
    tasks += [asyncio.create_task(search(patient=True)) for _ in range(9)]
    await asyncio.sleep(0)
    assert admission.retry_after == 1
    tasks += [asyncio.create_task(search()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match="3 searches wait") as refused:
        await search()
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1
    tasks.append(asyncio.create_task(search(patient=True)))
    tasks[-2].cancel()  # one that waits leaves its place
    await asyncio.sleep(0)
    end.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (most, running) == (2, 0)
    await search()


async def test_a_deadline_ends_waiting() -> None:
    admission = Admission(running=1, waiting=5)
    async with admission.turn(Deadline()):
        with pytest.raises(DeadlineError, match="before the search could begin"):
            async with admission.turn(Deadline(0.01)):
                raise AssertionError
    async with admission.turn(Deadline(0.01)):
        pass


async def test_a_failure_gives_the_turn_back() -> None:
    admission = Admission(running=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="failed"):
            async with admission.turn(Deadline()):
                raise ValueError("failed")
