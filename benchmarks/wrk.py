"""wrk, the HTTP load generator, in a process of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from semcore.errors import SemcoreError

_SCRIPT = Path(__file__).with_name("wrk.lua")
_PATIENCE = 60  # seconds that an answer may take
_runs = count()


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients met. Times are seconds.

    Attributes:
        answered, refused, failed: answers of status 200, 429, and any other.
        lost, timeouts: requests without an answer.
        p50, p99, most: of the time that an answer took.
    """

    seconds: float
    answered: int
    refused: int
    failed: int
    lost: int
    timeouts: int
    p50: float
    p99: float
    most: float

    @property
    def errors(self) -> int:
        return self.failed + self.lost + self.timeouts


@dataclass(slots=True)
class Running:
    """Clients at work; ``load`` is there once they have ended."""

    load: Load | None = field(default=None)


def load(url: str, bodies: Sequence[str], clients: int, seconds: int) -> Load:
    """Let so many clients post searches for some time, each the next when it has its answer.

    Args:
        bodies: JSON; an ``@`` in it becomes a number that no other request has.

    Raises :class:`SemcoreError` where wrk is not installed.
    """
    with _started(url, bodies, clients, seconds) as process:
        return _read(process)


@contextmanager
def loading(url: str, bodies: Sequence[str], clients: int, most: int) -> Iterator[Running]:
    """The same for as long as the context lasts, at most so many seconds."""
    running = Running()
    with _started(url, bodies, clients, most) as process:
        yield running
        process.send_signal(signal.SIGINT)
        running.load = _read(process)


@contextmanager
def _started(
    url: str, bodies: Sequence[str], clients: int, seconds: int
) -> Iterator[subprocess.Popen[str]]:
    program = shutil.which("wrk")
    if program is None:
        raise SemcoreError("this benchmark needs wrk; install it (Debian: apt install wrk)")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "bodies"
        file.write_text("".join(f"{body}\n" for body in bodies))
        command = [
            program,
            "--threads",
            "1",
            "--connections",
            str(clients),
            "--script",
            str(_SCRIPT),
        ]
        command += ["--duration", f"{seconds}s", "--timeout", f"{_PATIENCE}s", url]
        command += ["--", str(file), str(next(_runs))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def _read(process: subprocess.Popen[str]) -> Load:
    output, _ = process.communicate()
    return Load(**json.loads(output.strip().rsplit("\n", 1)[-1]))
