"""What is asked of metadata is checked at the door."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.schemas.metadata import Facet, FacetQuery, MetadataOptions, ValueCount


@pytest.mark.parametrize(
    "body",
    [
        {}, {"fields": []}, {"fields": [""]}, {"fields": ["a"] * 11}, {"fields": "a"},
        {"fields": ["a" * 101]}, {"fields": ["a"], "limit": 0}, {"fields": ["a"], "limit": 101},
        {"fields": ["a"], "kind": "sound"}, {"fields": ["a"], "filter": {}},
        {"fields": ["a"], "top_k": 3},
    ],
)  # fmt: skip
def test_refuses_what_is_no_question(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FacetQuery.model_validate(body)


@pytest.mark.parametrize(
    "options",
    [
        {"group_by": ""}, {"group_by": 3}, {"group_by": "a", "group_size": 0},
        {"group_by": "a", "group_size": 101}, {"sort": "a"}, {"sort": {}},
        {"sort": {"field": "a", "order": "down"}}, {"sort": {"field": "a", "descending": "yes"}},
        {"facets": "a"}, {"facets": ["a"] * 11},
    ],
)  # fmt: skip
def test_refuses_what_is_no_option(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MetadataOptions.model_validate(options)


def test_values_keep_their_kinds() -> None:
    for value in (1, 0.5, "1"):
        told = ValueCount(value=value, count=1).model_dump()["value"]
        assert (type(told), told) == (type(value), value)
    told = Facet(field="a", values=[], distinct=0, without=0, min=1, max=2.5).model_dump()
    assert (type(told["min"]), type(told["max"])) == (int, float)
