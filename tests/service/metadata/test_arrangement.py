"""Groups and orders are what their definitions say, for any candidates."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import StoredBundle, item

from semcore.bundle.filter import compared, values_of
from service.errors import InvalidQueryError
from service.metadata.arrangement import AS_FOUND, Arrangement
from service.schemas.metadata import Sort

VALUES = st.one_of(
    st.integers(-2, 2), st.booleans(), st.sampled_from([0.5, 1.0]), st.sampled_from(["a", "b", "1"])
)
METADATA = st.lists(
    st.dictionaries(st.just("f"), st.one_of(VALUES, st.lists(VALUES, max_size=3))), max_size=10
)
GROUPS = st.integers(1, 3)


def folded(metadata: list[Any], size: int) -> list[list[int]]:
    """Places in groups of some size."""
    places = list(range(len(metadata)))
    return [places[start : start + size] for start in range(0, len(places), size)]


def values(metadata: list[Any], group: list[int]) -> set[Any]:
    return {compared(value) for value in values_of(metadata[group[0]].get("f"))}


@given(METADATA, GROUPS, st.integers(1, 3))
def test_the_best_of_each_value_stay(metadata: list[Any], fold: int, size: int) -> None:
    groups = folded(metadata, fold)
    kept = Arrangement("f", size).arranged(groups, metadata)
    assert kept == [group for group in groups if group in kept]
    shown = Counter(value for group in kept for value in values(metadata, group))
    assert max(shown.values(), default=0) <= size
    # What is left out had a value of which enough were better.
    before: Counter[Any] = Counter()
    for group in groups:
        if group in kept:
            before.update(values(metadata, group))
        else:
            assert any(before[value] >= size for value in values(metadata, group))


def key(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value


@given(METADATA, GROUPS, st.booleans())
def test_the_order_is_that_of_the_field(metadata: list[Any], fold: int, descending: bool) -> None:
    groups = folded(metadata, fold)
    found = Arrangement(sort=Sort(field="f", descending=descending)).arranged(groups, metadata)
    assert sorted(found) == groups
    having = [group for group in found if values(metadata, group)]
    assert found[: len(having)] == having
    assert found[len(having) :] == [group for group in groups if not values(metadata, group)]
    pick = max if descending else min
    keys = [pick(key(value) for value in values(metadata, group)) for group in having]
    assert keys == sorted(keys, reverse=descending)
    for (one, place), (other, next_place) in pairwise(zip(keys, having, strict=True)):
        assert one != other or place < next_place  # equal ones by rank


def test_groups_first_then_sorts() -> None:
    metadata = [{"f": 3}, {"f": 1}, {}, {"f": 3.0}, {"f": True}, {}]
    groups = [[place] for place in range(6)]
    both = Arrangement("f", 1, Sort(field="f"))
    assert both.arranged(groups, metadata) == [[1], [0], [2], [5]]
    assert AS_FOUND.arranged(groups, metadata) == groups
    assert both.is_wanted
    assert not AS_FOUND.is_wanted


async def test_unknown_fields_are_refused(tmp_path: Path) -> None:
    snapshot = StoredBundle(tmp_path / "items", [item(0, {"f": 1})]).snapshot()
    await AS_FOUND.check(snapshot)
    await Arrangement("f", 1, Sort(field="f")).check(snapshot)
    for wrong in (Arrangement("g"), Arrangement("f", 1, Sort(field="g"))):
        with pytest.raises(InvalidQueryError, match="'g'; there are f"):
            await wrong.check(snapshot)
