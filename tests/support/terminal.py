"""What a Python program writes to standard error: to a terminal, and to a pipe."""

import contextlib
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_DECIDED = ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS")
"""What a command that ran in this process may have set."""


def shown(script: str, *, terminal: bool) -> str:
    """What is shown while a program runs that must end well."""
    own = {name: value for name, value in os.environ.items() if name not in _DECIDED}
    own["PYTHONPATH"] = str(_ROOT)
    command = [sys.executable, "-c", script]
    if not terminal:
        done = subprocess.run(command, env=own, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    with subprocess.Popen(command, env=own, stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        said = bytearray()
        with contextlib.suppress(OSError):  # the terminal's end, as Linux tells it
            while part := os.read(ours, 4096):
                said += part
    os.close(ours)
    assert process.returncode == 0, said.decode()
    return said.decode()
