"""The command says what it found, and exits by that."""

import json
import subprocess
import sys
from pathlib import Path


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
