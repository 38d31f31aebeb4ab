"""Null is absent; a field that cannot be one of metadata is named with its fault."""

import datetime
import math
from typing import Any

import pytest

from offline.corpus.metadata import read_metadata


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (None, {}),
        ("", {}),
        ({}, {}),
        ({"year": None, "camera": "x"}, {"camera": "x"}),
        ({"score": math.nan}, {}),
        ({"tags": ["a", None, 2, math.nan]}, {"tags": ["a", 2]}),
        ({"tags": []}, {"tags": []}),
        ('{"year": 1990, "is_new": true}', {"year": 1990, "is_new": True}),
        ({"big": 2**70}, {"big": float(2**70)}),
        ({"name": "e\u0301"}, {"name": "é"}),
        ({"long": "x" * 1000}, {"long": "x" * 1000}),
    ],
)
def test_reads_what_can_be_filtered_by(told: Any, found: dict[str, object]) -> None:
    assert read_metadata(told) == found


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ("{half", "metadata is no JSON: "),
        ("[1]", "metadata is a list, and no object"),
        (7, "metadata is a int, and no object"),
        ({"": 1}, "has a name of 0 characters"),
        ({"x" * 101: 1}, "has a name of 101 characters; it may have 1 to 100"),
        ({"size": {"w": 1}}, "metadata.size is an object, and no text, number"),
        ({"tags": [["a"]]}, "metadata.tags is a list, and no text, number"),
        ({"when": datetime.date(2000, 1, 1)}, "metadata.when is a date, and no text"),
        ({"text": "x" * 1001}, "metadata.text has 1001 characters; it may have at most 1000"),
        ({"rate": math.inf}, "metadata.rate is infinite"),
        ({"rate": [1.0, -math.inf]}, "metadata.rate is infinite"),
    ],
)
def test_names_the_field_and_its_fault(told: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault.replace(".", r"\.")):
        read_metadata(told)
