"""Measuring from the command line, against the real service."""

import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app


def test_evaluate_writes_its_rows(service_url: str, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    command = ["evaluate", str(trained / "bundle"), "--url", service_url, "--limit", "2"]
    result = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "| text-to-image | full | 2 |" in result.output
    assert len(json.loads((out / "results.json").read_text())["rows"]) == 6


def test_evaluate_says_when_nothing_answers(trained: Path) -> None:
    command = ["evaluate", str(trained / "bundle"), "--url", "http://127.0.0.1:1", "--limit", "2"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 3
    assert "semcore serve" in result.stderr


def test_calibrate_tells_what_a_bundle_without_a_model_has_learned(
    untrained: Path, tmp_path: Path
) -> None:
    """No service is asked, as none need run."""
    shutil.copytree(untrained, tmp_path / "bundle")
    command = ["calibrate", str(tmp_path / "bundle"), "--url", "http://127.0.0.1:1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "is told by its cosine with the guide" in result.output
    assert "image-to-text: how likely an item is to be right is not told" in result.output
    few = CliRunner().invoke(app, [*command, "--limit", "3"])
    assert "text-to-image: how likely an item is to be right is not told" in few.output
