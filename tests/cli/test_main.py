"""Every command has a help, and foreseen errors are one sentence."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

COMMANDS = [command.callback.__name__ for command in app.registered_commands if command.callback]


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


def test_serve_says_which_setting_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMCORE_PORT", "many")
    result = CliRunner().invoke(app, ["serve", "/no/such/bundle"])
    assert result.exit_code == 1
    assert "SEMCORE_PORT" in result.stderr
    assert result.stderr.count("\n") == 1


def test_corpus_is_written_and_read(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["corpus", str(tmp_path), "--pictures", "4"]).exit_code == 0
    assert len(list((tmp_path / "images").rglob("*.png"))) == 4


def test_train_wants_one_start(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", str(tmp_path), str(tmp_path / "model")])
    assert result.exit_code == 2
