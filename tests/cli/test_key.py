"""A key that was made opens what it was made for."""

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from service.http.api_keys import Keyring


def test_makes_a_key_that_works(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["key", "web", "--scope", "search", "--per-minute", "600"])
    assert made.exit_code == 0
    secret, entry = (line.split(": ", 1)[1].strip() for line in made.stdout.splitlines())
    (tmp_path / "keys.json").write_text(f"[{entry}]")
    assert Keyring.read(tmp_path / "keys.json", None).check(secret, "search") == "web"
    assert json.loads(entry)["per_minute"] == 600


def test_refuses_strange_scopes() -> None:
    refused = CliRunner().invoke(app, ["key", "web", "--scope", "everything"])
    assert refused.exit_code == 1
    assert "no scope" in refused.stderr
