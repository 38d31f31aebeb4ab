"""Filters over random metadata, as queries and one by one; malformed ones are refused."""

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from semcore.bundle.filter import Filter
from semcore.bundle.metadata import SCHEMA, listed, write_metadata

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


@pytest.mark.parametrize(
    ("metadata", "passes"),
    [
        ({"year": 1995}, True),
        ({"year": [1980, 1995]}, True),
        ({"year": [1980, 2005]}, False),
        ({"year": "1995"}, False),
        ({}, False),
    ],
)
def test_all_operators_hold_for_one_value(metadata: dict[str, Any], passes: bool) -> None:
    assert (
        Filter.model_validate({"field": "year", "gte": 1990, "lt": 2000}).matches(metadata)
        == passes
    )


def nested(depth: int) -> dict[str, Any]:
    return {"not": nested(depth - 1)} if depth else {"field": "a", "equals": 1}


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"field": "a"},
        {"equals": 1},
        {"field": "a", "equals": 1, "not": {"field": "a", "equals": 1}},
        {"and": []},
        {"field": "", "equals": 1},
        {"field": "a", "equals": 10**400},
        {"field": "a", "gt": float("nan")},
        {"field": "a", "equals": "\ud800"},
        {"field": "a", "like": "b"},
        {"or": [{"field": "a", "equals": 1}] * 64},
        nested(8),
    ],
)
def test_refuses_what_is_no_filter(described: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Filter.model_validate(described)
