"""The second run of the demo serves what the first one made."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.cache_folder import cache_folder
from cli.main import app


@pytest.mark.slow  # 'make demo' itself is part of every check
def test_serves_from_the_cache(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache_folder("demo")
    assert folder.is_relative_to(tmp_path)
    for part in ("bundle", "model"):
        shutil.copytree(trained / part, folder / part)
    command = ["demo", "--exit", "--port", "0", "--queries", "2"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "| image-to-text | auto | 2 |" in result.output
    assert "| image-to-text | without constraint | 2 |" in result.output
    assert "http://127.0.0.1:" in result.output
    assert "training" not in result.output
    assert (folder / "report/recall.md").exists()
