"""Every command has a help, and foreseen errors are one sentence."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

COMMANDS = ["corpus", "build", "train", "evaluate", "serve", "search", "demo"]


@pytest.mark.parametrize("command", COMMANDS)
def test_has_a_help(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_says_errors_in_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["build", str(tmp_path / "none"), str(tmp_path / "bundle")])
    assert result.exit_code == 1
    assert result.stderr.startswith("semcore: ")
    assert "does not exist" in result.stderr
    assert result.stderr.count("\n") == 1


def test_search_says_when_nothing_answers() -> None:
    result = CliRunner().invoke(app, ["search", "a boat", "--url", "http://127.0.0.1:1"])
    assert result.exit_code == 1
    assert "semcore serve" in result.stderr


def test_corpus_is_written_and_read(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["corpus", str(tmp_path), "--pictures", "4"]).exit_code == 0
    assert len(list((tmp_path / "images").rglob("*.png"))) == 4


def test_train_wants_one_start(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", str(tmp_path), str(tmp_path / "model")])
    assert result.exit_code == 2
