"""The command says what it found, and exits by that."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.checks import Finding
from cli.main import app


def test_the_command_exits_with_1_at_a_fault(trained: Path) -> None:
    command = [sys.executable, "-m", "cli", "doctor", "--json"]
    sound = subprocess.run([*command, trained / "bundle"], capture_output=True, text=True)
    assert sound.returncode == 0, sound.stdout
    assert all(finding["state"] != "fault" for finding in json.loads(sound.stdout))
    faulty = subprocess.run([*command, "/no/such/bundle"], capture_output=True, text=True)
    assert faulty.returncode == 1
    plain = subprocess.run([*command[:-1], "/no/such/bundle"], capture_output=True, text=True)
    assert "✗ bundle" in plain.stdout
    assert "→" in plain.stdout


FINDINGS = [
    Finding("python", "ok", "Python 3.11"),
    Finding("port", "warning", "8080 is taken", "choose another one"),
    Finding("disk", "fault", "1 GiB is left", "make room"),
]


@pytest.mark.parametrize(("found", "code"), [(1, 0), (2, 0), (3, 1)])
def test_only_a_fault_is_a_failure(monkeypatch: pytest.MonkeyPatch, found: int, code: int) -> None:
    monkeypatch.setattr("cli.checks.examine", lambda _: iter(FINDINGS[:found]))
    plain = CliRunner().invoke(app, ["doctor"])
    assert plain.exit_code == code
    lines = [
        "✓ python: Python 3.11",
        "! port: 8080 is taken",
        "  → choose another one",
        "✗ disk: 1 GiB is left",
        "  → make room",
    ]
    assert plain.stdout.splitlines() == lines[: 2 * found - 1]
    told = CliRunner().invoke(app, ["doctor", "--json"])
    assert told.exit_code == code
    assert [Finding(**one) for one in json.loads(told.stdout)] == FINDINGS[:found]


def test_the_bundle_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    examined: list[Path | None] = []

    def examine(bundle: Path | None) -> list[Finding]:
        examined.append(bundle)
        return []

    monkeypatch.setattr("cli.checks.examine", examine)
    for command in (["doctor"], ["doctor", "a bundle"]):
        assert CliRunner().invoke(app, command).exit_code == 0
    assert examined == [None, Path("a bundle")]
