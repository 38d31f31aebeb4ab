"""``semcore serve`` ends with 1 and a sentence where it cannot serve."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus

SCRIPT = Path(__file__).parents[1] / "support" / "fake_serve.py"


def serve(*arguments: str | Path) -> tuple[int, list[str]]:
    """The exit code, and the lines of standard error."""
    command = [sys.executable, SCRIPT, "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


def test_a_bundle_without_model_and_guide(trained: Path, corpus: Corpus, tmp_path: Path) -> None:
    build_bundle(corpus, tmp_path / "bundle", BuildSettings(), like=trained / "bundle")
    code, (said,) = serve(tmp_path / "bundle")
    assert code == 1
    assert said == (
        f"semcore: {tmp_path / 'bundle'} has neither a model nor a guide; run 'semcore train' on it"
    )


def test_a_journal_that_cannot_be_read(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no journal" * 1000)
    monkeypatch.setenv("SEMCORE_JOURNAL", str(tmp_path))
    code, (said,) = serve(trained / "bundle")
    assert code == 1
    assert said.startswith(f"semcore: the journal {tmp_path} cannot be read")


def test_a_port_that_is_taken(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMCORE_JOURNAL", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = serve(trained / "bundle", "--port", str(port))
    assert code == 1
    assert any("address already in use" in line for line in said[:-1])
    assert said[-1].startswith(f"semcore: the service cannot start at http://127.0.0.1:{port}")
    assert not any("Traceback" in line for line in said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SEMCORE_ENGINE_ARGUMENTS", "{", "engine_arguments"),
        ("SEMCORE_PORT", "many", "SEMCORE_PORT"),
    ],
)
def test_a_setting_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    code, (line,) = serve("/no/such/bundle")
    assert code == 1
    assert said in line
