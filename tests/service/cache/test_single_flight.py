"""One works for all; who leaves does not disturb the others, and the last one ends the work."""

import asyncio

import pytest

from service.cache.single_flight import SingleFlight


class Work:
    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = False
        self.may_end = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self.begun


async def test_one_works_for_all_of_a_key() -> None:
    flights: SingleFlight[int] = SingleFlight()
    work, other = Work(), Work()
    waiting = [asyncio.create_task(flights.run("a", work)) for _ in range(50)]
    apart = asyncio.create_task(flights.run("b", other))
    await asyncio.sleep(0)
    work.may_end.set()
    other.may_end.set()
    answers = await asyncio.gather(*waiting)
    assert {answer for answer, _ in answers} == {1}
    assert sum(shared for _, shared in answers) == 49
    assert await apart == (1, False)
    assert await flights.run("a", work) == (2, False)


async def test_the_work_ends_when_the_last_one_leaves() -> None:
    flights: SingleFlight[int] = SingleFlight()
    work = Work()
    first, second = (asyncio.create_task(flights.run("a", work)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    assert not work.cancelled
    second.cancel()
    await asyncio.sleep(0.01)
    assert work.cancelled
    work.may_end.set()
    assert await flights.run("a", work) == (2, False)


async def test_all_get_the_error() -> None:
    flights: SingleFlight[int] = SingleFlight()

    async def fail() -> int:
        await asyncio.sleep(0.01)
        raise ValueError("bad")

    answers = await asyncio.gather(
        *(flights.run("a", fail) for _ in range(3)), return_exceptions=True
    )
    assert [str(answer) for answer in answers] == ["bad"] * 3
    with pytest.raises(ValueError, match="bad"):
        await flights.run("a", fail)
