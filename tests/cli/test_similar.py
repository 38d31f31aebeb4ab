"""Items like one, from the command line: by an id, and by a picture where the guide sees it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import Result

TWINS = ["twin-1", "twin-2", "twin-3"]

Semcore = Callable[..., Result]


def found(comparing: Semcore, *arguments: str) -> list[dict[str, Any]]:
    result = comparing("similar", *arguments, "--json")
    assert result.exit_code == 0, result.output
    items: list[dict[str, Any]] = json.loads(result.stdout)["items"]
    return items


def test_a_table_of_what_is_like_an_item(comparing: Semcore) -> None:
    first, *others = TWINS
    result = comparing("similar", first, "--top-k", "2")
    assert result.exit_code == 0, result.output
    assert all(other in result.stdout for other in others)
    assert "by the guide alone" in result.stdout
    assert "1.00" in result.stdout
    folded = comparing("similar", first, "--top-k", "1", "--fold-duplicates")
    assert all(other in folded.stdout for other in others)


def test_the_options_are_passed_on(comparing: Semcore) -> None:
    first, *others = TWINS
    assert [item["id"] for item in found(comparing, first, "--top-k", "2")] == others
    assert {item["kind"] for item in found(comparing, first, "--kind", "image")} == {"image"}
    folded = found(comparing, first, "--fold-duplicates", "--diversity", "0.5")
    assert folded[0]["id"] == others[0]
    assert others[1] in folded[0]["duplicates"]
    condition = json.dumps({"field": "year", "gte": 1992})
    assert [item["id"] for item in found(comparing, first, "--filter", condition)] == [others[1]]


def test_sorts_by_metadata(comparing: Semcore) -> None:
    first, *others = TWINS
    condition = json.dumps({"field": "year", "gte": 1990})
    command = [first, "--filter", condition, "--sort", "year", "--descending"]
    assert [item["id"] for item in found(comparing, *command)] == others[::-1]
    assert len(found(comparing, first, "--filter", condition, "--group-by", "year")) == 2
    shown = comparing("similar", first, "--filter", condition, "--facet", "year").stdout
    assert "from 1990 to 1992" in shown


def test_a_path_is_a_picture(comparing: Semcore, tmp_path: Path) -> None:
    path = tmp_path / "query.png"
    Image.new("RGB", (8, 8), (200, 0, 0)).save(path)
    assert {item["kind"] for item in found(comparing, str(path))} == {"image"}
    path.write_bytes(b"no picture")
    refused = comparing("similar", str(path))
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_nothing_found_is_an_exit_code(comparing: Semcore, as_json: list[str]) -> None:
    condition = json.dumps({"field": "year", "gte": 3000})
    result = comparing("similar", TWINS[0], "--filter", condition, *as_json)
    assert result.exit_code == 4
    assert "let the filter pass more" in result.stderr


def test_says_what_the_service_refused(comparing: Semcore) -> None:
    result = comparing("similar", "none")
    assert result.exit_code == 1
    assert result.stderr == "semcore: there is no item 'none'\n"
    assert comparing("similar", TWINS[0], "--filter", "{").exit_code == 2
    assert comparing("similar", TWINS[0], "--kind", "sound").exit_code == 2
