"""The service's memory is that of all its processes."""

import subprocess
import sys

import httpx
import psutil
import pytest

from service.telemetry.memory import resident_bytes

SIZE = 100_000_000
HOLD = f"held = bytearray(b'a' * {SIZE}); print(flush=True); input()"


def test_what_was_started_counts() -> None:
    before = resident_bytes()
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        during = resident_bytes()
        child.communicate(b"\n")
    assert during - before > SIZE * 0.9


def test_a_child_that_ends_meanwhile_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        ended = psutil.Process(child.pid)
        child.communicate(b"\n")
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [ended])
    assert resident_bytes() > 0


async def test_is_told_to_prometheus(client: httpx.AsyncClient) -> None:
    lines = (await client.get("/metrics")).text.splitlines()
    (told,) = [line for line in lines if line.startswith("semcore_memory_bytes ")]
    assert float(told.split()[1]) > 10_000_000
