"""Counts are what counting one by one gives, and wait for nobody who reads."""

import asyncio
import math
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import GALLERY, StoredBundle, added_item, item

from semcore.bundle.filter import Filter, compared, values_of
from semcore.bundle.item import Item
from service.errors import DeadlineError, InvalidQueryError, OverloadedError
from service.metadata import facets as module
from service.metadata.facets import Counting, FacetCounter, facets
from service.schemas.metadata import Facets
from service.telemetry.stopwatch import Stopwatch
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline

FIELDS = ("a", "b")
VALUES = st.one_of(
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.5, 1.0, -2.0, 2**53 + 1, 2.0**53, 1e300, 2**63 - 1, 2.0**63]),
    st.sampled_from(["", "a", "b", "1", "é", "\U0001f600"]),
)
METADATA = st.dictionaries(
    st.sampled_from(FIELDS), st.one_of(VALUES, st.lists(VALUES, max_size=3)), max_size=2
)
FILTERS = st.one_of(
    st.none(),
    st.builds(lambda value: {"field": "a", "equals": value}, VALUES),
    st.builds(lambda value: {"not": {"field": "b", "gte": value}}, VALUES),
)
KINDS = st.sampled_from(["image", "text"])
names = count()


def by_hand(items: list[Item], counting: Counting) -> list[dict[str, Any]]:
    told = []
    for field in counting.fields:
        counts: Counter[Any] = Counter()
        without = 0
        for one in items:
            values = {compared(value) for value in values_of(one.metadata.get(field))}
            counts.update(values)
            without += not values
        numbers = [value for value in counts if not isinstance(value, str)]
        order = sorted(counts, key=lambda one: (-counts[one], isinstance(one, str), one))
        told.append(
            {
                "field": field,
                "values": [{"value": v, "count": counts[v]} for v in order[: counting.most]],
                "distinct": len(counts),
                "without": without,
                "min": min(numbers, default=None),
                "max": max(numbers, default=None),
            }
        )
    return told


@settings(max_examples=60)
@given(
    st.lists(st.tuples(METADATA, KINDS, st.sampled_from(["test", "train"])), max_size=8),
    st.lists(st.tuples(METADATA, KINDS), max_size=4),
    st.sets(st.integers(0, 7)),
    FILTERS,
    st.sampled_from([None, "image", "text"]),
    st.integers(1, 4),
)
def test_counts_are_those_of_looking_at_each(
    tmp_path_factory: pytest.TempPathFactory,
    stored: list[Any],
    more: list[Any],
    gone: set[int],
    filtered: dict[str, Any] | None,
    kind: Any,
    most: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"facets {next(names)}"
    items = [item(n, *one) for n, one in enumerate(stored)]
    bundle = StoredBundle(path, items)
    added = {len(items) + n: added_item(len(items) + n, *one) for n, one in enumerate(more)}
    wanted = None if filtered is None else Filter.model_validate(filtered)
    deleted = {number for number in gone if number < len(items)}
    snapshot = bundle.snapshot(deleted, added)
    known = sorted(snapshot.postings.fields)
    counting = Counting(tuple(known), kind, wanted, most)
    left = [
        one
        for number, one in [*enumerate(items), *added.items()]
        if number not in deleted
        and (number in added or one.split in GALLERY)
        and kind in (None, one.kind)
        and (wanted is None or wanted.matches(one.metadata))
    ]
    told = facets(snapshot, counting).model_dump()
    bundle.store.close()
    path.unlink()
    assert told["total"] == len(left)
    assert told["fields"] == by_hand(left, counting)
    assert all(type(v["value"]) is not bool for one in told["fields"] for v in one["values"])


@pytest.fixture
def snapshot(tmp_path: Path) -> Any:
    bundle = StoredBundle(tmp_path / "items", [item(n, {"a": n % 3}) for n in range(9)])
    return bundle.snapshot()


async def test_beside_a_search_it_is_timed(snapshot: Any) -> None:
    counter, watch = FacetCounter(Admission(1, 0)), Stopwatch()
    assert await counter.beside(watch, snapshot, Counting(()), Deadline()) is None
    assert not watch.spans
    told = await counter.beside(watch, snapshot, Counting(("a",)), Deadline())
    assert told is not None
    assert (told.total, told.fields[0].distinct) == (9, 3)
    assert [span.path for span in watch.spans] == ["facets"]


async def test_an_unknown_field_is_named(snapshot: Any) -> None:
    counter = FacetCounter(Admission(1, 0))
    with pytest.raises(InvalidQueryError, match="'c'; there are a"):
        await counter.count(snapshot, Counting(("a", "c")), Deadline())
    with pytest.raises(InvalidQueryError, match="'c'"):
        facets(snapshot, Counting(("c",)))


async def test_what_is_known_waits_for_no_turn(
    snapshot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = FacetCounter(Admission(1, 0))
    first = await counter.count(snapshot, Counting(("a",)), Deadline())
    late = Filter.model_validate({"field": "a", "gte": 1})
    reading = counter._reading
    async with reading.turn(Deadline()), reading.turn(Deadline()):
        assert await counter.count(snapshot, Counting(("a",)), Deadline()) == first
        with pytest.raises(OverloadedError):
            await counter.count(snapshot, Counting(("a",), None, late), Deadline())
    assert (await counter.count(snapshot, Counting(("a",), None, late), Deadline())).total == 6

    async def never(*_: object) -> Facets:
        await asyncio.sleep(math.inf)
        raise AssertionError

    monkeypatch.setattr(module, "in_threads", never)
    with pytest.raises(DeadlineError, match="before the items were counted"):
        await counter.count(snapshot, Counting(("a",), "text"), Deadline(0.01))
