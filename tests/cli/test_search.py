"""Searches from the command line: as a table, as JSON, explained, filtered, with pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from cli.main import app
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import ItemStore

Semcore = Callable[..., Result]


def test_the_real_service_explains_what_it_found(service_url: str) -> None:
    command = ["search", "a red boat", "--url", service_url, "--top-k", "3", "--explain"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "<g" in result.stdout
    assert "beams" in result.stdout
    assert "(end)" in result.stdout


def test_the_real_service_finds_texts_by_a_picture(service_url: str, trained: Path) -> None:
    store = ItemStore(trained / "bundle/items.sqlite", ("test",))
    item = next(store.of_split("test", "image"))
    store.close()
    picture = Path(read_manifest(trained / "bundle").corpus.image_root) / item.image
    command = ["search", str(picture), "--url", service_url, "--verify", "never", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    items = json.loads(result.stdout)["items"]
    assert {item["kind"] for item in items} == {"text"}
    assert all(item["verification"] is None for item in items)


def test_a_table_and_nothing_else_in_a_pipe(semcore: Semcore) -> None:
    result = semcore("search", "a red boat", "--top-k", "3")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("/items/") == 3
    assert result.stderr == ""
    assert not {"\x1b", "▀"} & set(result.output)


def test_says_of_each_token_what_it_beat(semcore: Semcore) -> None:
    answer = json.loads(semcore("search", "a red boat", "--explain", "--json").stdout)
    first = answer["items"][0]
    assert sum(step["logprob"] for step in first["path"]) == pytest.approx(first["logprob"])
    shown = semcore("search", "a red boat", "--explain").stdout
    assert f"how {first['identifier']['text']} was spelled" in shown
    lines = [line for line in shown.splitlines() if line.startswith("│")][-len(first["path"]) :]
    assert first["identifier"]["keywords"][-1] in shown
    assert "(end)" in lines[-1]
    beaten = first["path"][0]["beaten"][0]
    assert f"{beaten['text'].strip()}\N{NO-BREAK SPACE}{beaten['logprob']:.2f}" in shown
    assert f"together {first['logprob']:.2f}" in shown
    assert "was spelled" not in semcore("search", "a red boat").stdout


# Of the library that draws them, where Python is 3.11.
@pytest.mark.filterwarnings("ignore:Image.Image.getdata:DeprecationWarning")
def test_shows_pictures_in_a_pipe_if_told_to(semcore: Semcore) -> None:
    result = semcore("search", "a red boat", "--top-k", "2", "--pictures")
    assert result.exit_code == 0, result.output
    found = [line for line in result.stdout.splitlines() if "▀" in line]
    assert len(found) == 8
    assert "\x1b[38;2;" in found[0]
    texts = semcore("search", "a red boat", "--top-k", "2", "--pictures", "--json")
    assert len(json.loads(texts.stdout)["items"]) == 2


def test_a_filter_holds_it_to_what_passes(semcore: Semcore) -> None:
    condition = {"field": "year", "gte": 1992}
    command = ["search", "a red boat", "--filter", json.dumps(condition), "--json"]
    items = json.loads(semcore(*command).stdout)["items"]
    assert items
    assert all(item["metadata"]["year"] >= 1992 for item in items)


def test_repeats_less_where_that_is_asked(comparing: Semcore) -> None:
    command = ["search", "a red boat at night", "--top-k", "100", "--guide", "only", "--json"]
    plain = json.loads(comparing(*command).stdout)["items"]
    spread = json.loads(comparing(*command, "--diversity", "0.9").stdout)["items"]
    assert spread[0]["id"] == plain[0]["id"]
    assert [item["id"] for item in spread] != [item["id"] for item in plain]
    folded = json.loads(comparing(*command, "--fold-duplicates").stdout)["items"]
    assert all(len(item["duplicates"]) == item["duplicate_count"] for item in folded)
    every = [one for item in folded for one in (item["id"], *item["duplicates"])]
    assert len(every) == len(set(every))
    assert {item["id"] for item in plain} <= set(every)


def test_groups_sorts_and_counts_by_metadata(semcore: Semcore) -> None:
    command = ["search", "a red boat", "--top-k", "40", "--beam-width", "40"]
    options = ["--group-by", "year", "--sort", "year", "--descending", "--facet", "year"]
    answer = json.loads(semcore(*command, *options, "--json").stdout)
    years = [item["metadata"]["year"] for item in answer["items"] if "year" in item["metadata"]]
    assert years == sorted(set(years), reverse=True)
    assert answer["facets"]["fields"][0]["field"] == "year"
    shown = semcore(*command, *options).stdout
    assert "from 1990 to 1994" in shown
    two = json.loads(semcore(*command, *options, "--group-size", "2", "--json").stdout)
    assert len(two["items"]) > len(answer["items"])
    assert semcore("search", "a red boat", "--descending").exit_code == 2
    refused = semcore("search", "a red boat", "--group-by", "yaer")
    assert refused.exit_code == 1
    assert "there are" in refused.stderr


def test_says_what_is_wrong_with_a_share(semcore: Semcore) -> None:
    assert semcore("search", "a red boat", "--diversity", "2").exit_code == 2
    refused = semcore("search", "a red boat", "--diversity", "0.5")
    assert refused.exit_code == 1
    assert "has no guide" in refused.stderr


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_nothing_found_is_an_exit_code(semcore: Semcore, as_json: list[str]) -> None:
    condition = json.dumps({"field": "year", "gte": 3000})
    result = semcore("search", "a red boat", "--filter", condition, *as_json)
    assert result.exit_code == 4
    assert "let the filter pass more" in result.stderr
    assert (json.loads(result.stdout)["items"] if as_json else result.stdout) in ([], "")


def test_says_what_is_wrong_with_a_filter(semcore: Semcore) -> None:
    broken = semcore("search", "a boat", "--filter", "{")
    assert broken.exit_code == 2
    assert "--filter" in broken.stderr
    refused = semcore("search", "a boat", "--filter", '{"feld": 1}')
    assert refused.exit_code == 1
    assert refused.stderr.startswith("semcore: filter")


def test_says_what_the_service_refused(semcore: Semcore) -> None:
    result = semcore("search", " ")
    assert result.exit_code == 1
    assert result.stderr.startswith("semcore: query")
    assert result.stderr.count("\n") == 1


def test_a_key_is_an_option_or_in_the_environment(semcore: Semcore) -> None:
    assert semcore("search", "a boat", "--key", "seeker", key=None).exit_code == 0
    without = semcore("search", "a boat", key=None)
    assert without.exit_code == 1
    assert "--key or SEMCORE_KEY" in without.stderr
    assert "--key or SEMCORE_KEY" in semcore("search", "a boat", key="wrong").stderr


def test_a_text_may_be_longer_than_any_path(semcore: Semcore) -> None:
    assert semcore("search", "boats " * 100).exit_code == 0
    assert semcore("search", "b" * 300).exit_code == 0


def test_a_path_is_a_picture(semcore: Semcore, tmp_path: Path) -> None:
    path = tmp_path / "query.png"
    Image.new("RGB", (8, 8), (200, 0, 0)).save(path)
    found = json.loads(semcore("search", str(path), "--json").stdout)["items"]
    assert {item["kind"] for item in found} == {"text"}
    path.write_bytes(b"no picture")
    refused = semcore("search", str(path))
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_nothing_that_fits_is_said_kindly(
    likely: Callable[..., Result], as_json: list[str]
) -> None:
    found = json.loads(likely("search", "a red boat", "--min-score", "0", "--json").stdout)["items"]
    assert found
    assert "likely" in likely("search", "a red boat").stdout
    result = likely("search", "an appeal against the verdict", "--min-score", "0.99", *as_json)
    assert result.exit_code == 4
    assert "nothing here fits" in result.stderr
    assert "0.99" in result.stderr
    assert (json.loads(result.stdout)["items"] if as_json else result.stdout) in ([], "")


def test_an_index_that_does_not_know_says_what_mends_that(comparing: Semcore) -> None:
    refused = comparing("search", "a red boat", "--min-score", "0.5")
    assert refused.exit_code == 1
    assert "semcore calibrate" in refused.stderr
    assert comparing("search", "a red boat", "--min-score", "2").exit_code == 2
