"""An item, an identifier and the beginning of some, as a running service has them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

TWINS = ("twin-1", "twin-2", "twin-3")

Semcore = Callable[..., Result]


def told(semcore: Semcore, *arguments: str) -> dict[str, Any]:
    result = semcore("inspect", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_without_anything_it_shows_all(semcore: Semcore) -> None:
    root = told(semcore)
    assert root["count"] == 12
    result = semcore("inspect")
    assert "all  12 images" in result.stdout
    for item in root["items"]:
        assert item["id"] in result.stdout
    texts = semcore("inspect", "--kind", "text").stdout
    assert f"all  {told(semcore, '--kind', 'text')['count']} texts" in texts
    for branch in told(semcore, "--kind", "text")["branches"]:
        assert f"{branch['identifier']}  {branch['items']}" in texts


def test_shows_an_item_with_those_that_share_its_identifier(semcore: Semcore) -> None:
    first, *others = TWINS
    found = told(semcore, first)
    assert found["item"]["id"] == first
    assert {item["id"] for item in found["sharing"]} >= set(others)
    assert first not in {item["id"] for item in found["sharing"]}
    assert found["more_sharing"] == 0
    shown = semcore("inspect", first).stdout
    assert found["item"]["identifier"]["text"] in shown
    assert "share this identifier: 2 more" in shown
    assert all(other in shown for other in others)


# Of the library that draws them, where Python is 3.11.
@pytest.mark.filterwarnings("ignore:Image.Image.getdata:DeprecationWarning")
def test_shows_an_image_with_its_metadata_and_picture(semcore: Semcore) -> None:
    items = told(semcore)["items"]
    item = next(item for item in items if "tags" in item["metadata"])
    plain = semcore("inspect", item["id"])
    assert json.dumps(item["metadata"]["tags"]) in plain.stdout
    assert item["image"] in plain.stdout
    assert not {"\x1b", "▀"} & set(plain.stdout)
    assert "▀" in semcore("inspect", item["id"], "--pictures").stdout


def test_walks_from_a_beginning_to_an_identifier(semcore: Semcore) -> None:
    item = told(semcore)["items"][0]
    cluster, word, *rest = item["identifier"]["text"].split()
    for beginning in (cluster, f"{cluster}  {word} ", item["identifier"]["text"]):
        place = told(semcore, beginning)
        assert place["identifier"] == " ".join(beginning.split())
        shown = semcore("inspect", beginning).stdout
        assert f"{place['identifier']}  {place['count']} image" in shown
        assert item["id"] in shown
    assert " ".join([word, *rest]) in semcore("inspect", cluster).stdout
    assert told(semcore, cluster, "--kind", "text")["kind"] == "text"


def test_texts_are_looked_through_where_no_image_is_there(semcore: Semcore) -> None:
    twin = told(semcore, TWINS[0])["item"]["identifier"]["text"]
    place = told(semcore, twin)
    assert (place["kind"], place["count"]) == ("text", 3)
    shown = semcore("inspect", twin).stdout
    assert f"{twin}  3 texts" in shown
    assert all(item in shown for item in TWINS)


@pytest.mark.parametrize("what", ["nothing-of-the-kind", "<g99>", "<g"])
def test_nothing_found_is_an_exit_code_and_a_next_step(semcore: Semcore, what: str) -> None:
    result = semcore("inspect", what, "--json")
    assert result.exit_code == 4
    assert result.stdout == ""
    assert repr(what) in result.stderr
    assert "semcore inspect" in result.stderr
    assert result.stderr.count("\n") == 1


def test_only_the_kind_that_was_asked_for(semcore: Semcore) -> None:
    twin = told(semcore, TWINS[0])["item"]["identifier"]["text"]
    result = semcore("inspect", twin, "--kind", "image")
    assert result.exit_code == 4
    assert "of image items" in result.stderr
