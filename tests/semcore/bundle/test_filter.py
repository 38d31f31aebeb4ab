"""Filters over random metadata, as queries and one by one; malformed ones are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from semcore.bundle.filter import Filter, Value, compared


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


@pytest.mark.parametrize(
    ("value", "told"),
    [(True, 1), (False, 0), (2.0, 2), (-0.0, 0), (0.5, 0.5), (2.0**63, 2.0**63), (3, 3),
     (-(2.0**63), -(2**63)), ("1", "1")],
)  # fmt: skip
def test_a_value_has_one_form(value: Value, told: Value) -> None:
    assert compared(value) == told == value
    assert type(compared(value)) is type(told)
