"""The table of metadata lists what matching one by one finds."""

import sqlite3
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from semcore.bundle.filter import Filter, compared, values_of
from semcore.bundle.metadata import SCHEMA, fields, listed, postings, write_metadata

VALUES = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([-(2**63), 2**63 - 1, 2**53 + 1, 0.5, -1.5, 2.0**53, 1e300]),
    st.sampled_from(["", "a", "b", "B", "é", "\u20ac", "\U0001f600", "1", "a\x00b", "%"]),
)


METADATA = st.dictionaries(
    st.sampled_from(["a", "b", "c'; --"]), st.one_of(VALUES, st.lists(VALUES, max_size=3))
)


CONDITIONS = st.fixed_dictionaries(
    {"field": st.sampled_from(["a", "b", "c'; --", "d"])},
    optional={
        "equals": VALUES,
        "in": st.lists(VALUES, min_size=1, max_size=3),
        "gt": VALUES, "gte": VALUES, "lt": VALUES, "lte": VALUES,
    },
).filter(lambda one: len(one) > 1)  # fmt: skip


FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"and": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=4,
)


@given(st.lists(METADATA, min_size=1, max_size=8), FILTERS)
def test_queries_agree_with_matching_one_by_one(
    everything: list[dict[str, Any]], described: dict[str, Any]
) -> None:
    wanted = Filter.model_validate(described)
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    write_metadata(connection, enumerate(everything))
    found = listed(connection, wanted, len(everything))
    connection.close()
    assert list(found) == [n for n, one in enumerate(everything) if wanted.matches(one)]


def test_an_item_is_listed_once_by_any_of_its_values() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    write_metadata(connection, [(0, {"tags": ["a", "b", "a"]}), (2, {"tags": "b", "year": 1990})])
    write_metadata(connection, [(3, {"year": "1990"})])

    def found(**condition: Any) -> list[int]:
        return list(listed(connection, Filter.model_validate(condition), 5))

    assert found(field="tags", **{"in": ["a", "b"]}) == [0, 2]
    assert found(**{"not": {"field": "tags", "equals": "a"}}) == [1, 2, 3, 4]
    # A number and a text are never compared.
    assert found(field="year", gte=0) == [2]
    assert found(field="year", gte="") == [3]
    connection.close()


@given(st.lists(METADATA, min_size=1, max_size=8))
def test_postings_are_what_looking_at_each_gives(everything: list[dict[str, Any]]) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    write_metadata(connection, enumerate(everything))
    having = {name for one in everything for name, value in one.items() if value != []}
    assert fields(connection) == sorted(having)
    for field in having:
        expected: dict[Any, set[int]] = {}
        for number, one in enumerate(everything):
            for value in values_of(one.get(field)):
                expected.setdefault(compared(value), set()).add(number)
        found = postings(connection, field, len(expected))
        assert found is not None
        assert {value: set(numbers) for value, numbers in found.items()} == expected
        assert list(found) == sorted(found, key=lambda value: (isinstance(value, str), value))
        assert all(type(value) is type(compared(value)) for value in found)
        assert postings(connection, field, len(expected) - 1) is None
    assert postings(connection, "none", 3) == {}
    connection.close()
