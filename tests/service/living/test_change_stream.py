"""The stream puts all changes into one order, takes each once, and says what of it is left."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from semcore.clock import Clock, entry_of, position_of
from semcore.journal.change import Change, Entry, ToldChange
from service.living.change_stream import ChangeStream, Epoch, EpochEndedError, Recap

CHANGES = "semcore:changes"
ENTRY = Entry(
    id="a", kind="text", pair="a", captions=("a boat",), image="", metadata={"year": 1990},
    identifier="<g1> boat", clusters="1234",
)  # fmt: skip
ADDED, DELETED = Change("a", ENTRY), Change("b", None)

pytestmark = pytest.mark.usefixtures("empty_redis")


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    opened = redis.asyncio.Redis.from_url(redis_url, decode_responses=True)
    yield opened
    await opened.aclose()


@pytest.fixture
def stream(client: redis.asyncio.Redis) -> ChangeStream:
    return ChangeStream(client)


@pytest.fixture
async def epoch(stream: ChangeStream) -> Epoch:
    return await stream.begin(None, 1, Clock())


async def positions(stream: ChangeStream, epoch: Epoch, count: int) -> list[str]:
    """Those of so many changes that are told."""
    told = [await stream.tell(epoch, "filler", number, DELETED) for number in range(1, count + 1)]
    return [position for position in told if position is not None]


async def test_of_several_who_begin_an_epoch_one_does(
    client: redis.asyncio.Redis, stream: ChangeStream
) -> None:
    assert await stream.epoch() is None
    first = await stream.begin(None, 1, Clock(journals={"one": 3}))
    assert await stream.begin(None, 1, Clock()) == first == await stream.epoch()
    await positions(stream, first, 2)
    second = await stream.begin(first, 2, Clock())
    assert second.generation == 2
    assert await client.xlen(CHANGES) == 0
    # What was told in the epoch before has to be told again.
    assert await stream.tell(second, "filler", 1, DELETED) is not None
    assert await stream.begin(first, 3, Clock()) == second


async def test_a_change_is_taken_once(
    client: redis.asyncio.Redis, stream: ChangeStream, epoch: Epoch
) -> None:
    first = await stream.tell(epoch, "one", 1, ADDED)
    assert first is not None
    assert await stream.tell(epoch, "one", 1, ADDED) is None
    other = await stream.tell(epoch, "another", 1, ADDED)
    later = await stream.tell(epoch, "one", 2, DELETED)
    assert other is not None
    assert later is not None
    assert epoch.start < first < other < later
    assert await client.xlen(CHANGES) == 3


async def test_all_is_read_in_the_order_in_which_it_was_told(
    stream: ChangeStream, epoch: Epoch
) -> None:
    base = Clock(journals={"one": 1})
    first = await stream.tell(epoch, "one", 1, ADDED)
    assert first is not None
    before = ToldChange("two", 7, position_of(0, "5-1"), "", DELETED)
    await stream.tell_again(epoch, before)
    recap = Recap(base=base, clock=Clock(positions=(position_of(0, "9-0"),)))
    await stream.recap(epoch, recap)
    whole = await stream.read(epoch, epoch.start, 10)
    assert [one.change for one in whole.changes] == [ADDED, DELETED]
    assert whole.changes[0] == ToldChange("one", 1, first, first, ADDED)
    again = whole.changes[1]
    # Its place is that of before, though it came later.
    assert (again.origin, again.number, again.key) == ("two", 7, before.key)
    assert first < again.arrival < whole.position
    assert (whole.recaps, whole.count, whole.odd) == ([recap], 3, [])
    part = await stream.read(epoch, epoch.start, 1)
    assert (part.changes, part.position) == (whole.changes[:1], first)
    rest = await stream.read(epoch, first, 10)
    assert (rest.changes, rest.recaps) == (whole.changes[1:], [recap])
    nothing = await stream.read(epoch, whole.position, 10, wait=1)
    assert (nothing.position, nothing.count) == (whole.position, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "of nobody"},
        {"key": "", "origin": "one", "number": "many", "change": '{"id": "a", "entry": null}'},
        {"key": "", "origin": "one", "number": "1", "change": "{"},
        {"key": "recap", "change": "{}"},
    ],
)
async def test_an_entry_of_nobody_stops_nothing(
    client: redis.asyncio.Redis, stream: ChangeStream, epoch: Epoch, fields: dict[str, str]
) -> None:
    await stream.tell(epoch, "one", 1, ADDED)
    odd = await client.xadd(CHANGES, fields)
    batch = await stream.read(epoch, epoch.start, 10)
    assert [one.change for one in batch.changes] == [ADDED]
    assert batch.odd == [odd]
    assert (batch.count, batch.position) == (2, position_of(1, odd))


async def test_an_epoch_that_has_ended_takes_and_gives_nothing(
    client: redis.asyncio.Redis, stream: ChangeStream, epoch: Epoch
) -> None:
    await stream.begin(epoch, 2, Clock())
    told = ToldChange("one", 1, position_of(1, "1-0"), "", ADDED)
    for ended in (
        stream.tell(epoch, "one", 1, ADDED),
        stream.tell_again(epoch, told),
        stream.recap(epoch, Recap(base=Clock(), clock=Clock())),
        stream.read(epoch, epoch.start, 10),
    ):
        with pytest.raises(EpochEndedError):
            await ended
    assert await client.xlen(CHANGES) == 0


async def test_where_entries_were_cut_off_it_says_so(
    client: redis.asyncio.Redis, stream: ChangeStream, epoch: Epoch
) -> None:
    assert await stream.after(epoch, epoch.start) == "all"
    first, second, third = await positions(stream, epoch, 3)
    for position in (epoch.start, first, third):
        assert await stream.after(epoch, position) == "all"
    await client.xtrim(CHANGES, maxlen=2, approximate=False)
    assert await stream.after(epoch, epoch.start) == "cut"
    assert await stream.after(epoch, first) == "cut"
    assert await stream.after(epoch, second) == "all"
    await client.xtrim(CHANGES, maxlen=0, approximate=False)
    assert await stream.after(epoch, second) == "cut"


async def test_what_redis_has_lost_of_what_was_read_is_told_from_what_was_cut_off(
    client: redis.asyncio.Redis, stream: ChangeStream, epoch: Epoch
) -> None:
    _, second, third = await positions(stream, epoch, 3)
    await client.xdel(CHANGES, entry_of(third))  # as in a dump from before
    assert await stream.after(epoch, third) == "rewound"
    assert await stream.after(epoch, second) == "all"
    await client.delete(CHANGES)
    assert await stream.after(epoch, second) == "rewound"


async def test_reading_does_not_go_on_from_an_entry_that_is_gone(
    client: redis.asyncio.Redis, stream: ChangeStream, epoch: Epoch
) -> None:
    first, second = await positions(stream, epoch, 2)
    assert (await stream.read(epoch, first, 10)).position == second
    await client.xdel(CHANGES, entry_of(first))
    with pytest.raises(EpochEndedError):
        await stream.read(epoch, first, 10)


async def test_trimming_forgets_nothing_from_a_position_on(
    client: redis.asyncio.Redis, stream: ChangeStream, epoch: Epoch
) -> None:
    told = await positions(stream, epoch, 300)
    await stream.trim(told[250])
    assert 50 <= await client.xlen(CHANGES) < 300
    assert await stream.after(epoch, told[250]) == "all"
    assert (await stream.read(epoch, told[250], 100)).position == told[-1]


def test_an_epoch_is_named_by_its_generation_and_itself() -> None:
    epoch = Epoch(generation=12, name="ab12", base=Clock())
    assert epoch.text == "12:ab12"
    assert epoch.start == position_of(12, "0-0")
    assert position_of(11, "99-0") < epoch.start < position_of(12, "0-1")
