"""Searching and measuring from the command line, against the real service."""

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from semcore.bundle import read_manifest
from semcore.item import ItemStore


def test_search_by_text_prints_a_table(service_url: str) -> None:
    result = CliRunner().invoke(app, ["search", "a red boat", "--url", service_url, "--top-k", "3"])
    assert result.exit_code == 0, result.output
    assert "<g" in result.output
    assert "beam" in result.output


def test_search_by_picture_prints_json(service_url: str, trained: Path) -> None:
    store = ItemStore(trained / "bundle/items.sqlite", ("test",))
    item = next(store.of_split("test", "image"))
    store.close()
    picture = Path(read_manifest(trained / "bundle").corpus.image_root) / item.image
    command = ["search", str(picture), "--url", service_url, "--verify", "never", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    items = json.loads(result.output)["items"]
    assert {item["kind"] for item in items} == {"text"}
    assert all(item["verification"] is None for item in items)


def test_says_what_the_service_refused(service_url: str) -> None:
    result = CliRunner().invoke(app, ["search", " ", "--url", service_url])
    assert result.exit_code == 1
    assert "422" in result.stderr


def test_evaluate_writes_its_rows(service_url: str, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    command = ["evaluate", str(trained / "bundle"), "--url", service_url, "--limit", "2"]
    result = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "| text-to-image | full | 2 |" in result.output
    assert len(json.loads((out / "results.json").read_text())["rows"]) == 6
