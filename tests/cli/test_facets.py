"""Counts from the command line: as tables and as JSON."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

Semcore = Callable[..., Result]
LATE = json.dumps({"field": "year", "gte": 1992})


def test_a_table_a_field(semcore: Semcore) -> None:
    result = semcore("facets", "year", "tags")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.strip() for line in lines if line.strip() in ("year", "tags")] == ["year", "tags"]
    assert "items without a value" in result.stdout
    assert "from 1990 to 1994" in result.stdout
    assert result.stderr == ""


def test_the_options_are_passed_on(semcore: Semcore) -> None:
    command = ["facets", "year", "--kind", "image", "--filter", LATE, "--limit", "1", "--json"]
    result = semcore(*command)
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    (facet,) = counts["fields"]
    assert len(facet["values"]) == 1 < facet["distinct"]
    assert facet["values"][0]["value"] >= 1992
    assert counts["total"] < json.loads(semcore("facets", "year", "--json").stdout)["total"]
    assert "more values" in semcore("facets", "year", "--limit", "1").stdout


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_nothing_to_count_is_an_exit_code(semcore: Semcore, as_json: list[str]) -> None:
    condition = json.dumps({"field": "year", "gte": 3000})
    result = semcore("facets", "year", "--filter", condition, *as_json)
    assert result.exit_code == 4
    assert "let the filter pass more" in result.stderr


def test_says_what_the_service_refused(semcore: Semcore) -> None:
    refused = semcore("facets", "yaer")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("semcore: no item has the metadata field 'yaer'; there are")
    assert semcore("facets").exit_code == 2
    assert semcore("facets", "year", "--filter", "{").exit_code == 2
