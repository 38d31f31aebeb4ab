"""Evaluation asks the real service and tables what it found."""

import json
from pathlib import Path

import pytest

from offline.evaluation import as_json, evaluate, markdown_table
from semcore.errors import CorpusError


async def test_measures_all_systems_in_both_directions(service_url: str, trained: Path) -> None:
    rows = await evaluate(service_url, trained / "bundle", limit=4, beam_width=5)
    systems = ["full", "without GSV", "without constraint"]
    assert [row.system for row in rows] == systems * 2
    for row in rows:
        assert row.queries == 4
        assert 0 <= row.recall["R@1"].value <= row.recall["R@5"].value <= 100
        if row.system != "without constraint":
            assert row.illegal == 0.0
    lines = markdown_table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert len({line.count("|") for line in lines}) == 1
    assert json.loads(as_json(rows))[0]["recall"]["R@1"]["value"] == rows[0].recall["R@1"].value


async def test_says_that_a_split_has_no_queries(service_url: str, trained: Path) -> None:
    with pytest.raises(CorpusError, match="no text-to-image queries"):
        await evaluate(service_url, trained / "bundle", split="holiday", limit=4)
