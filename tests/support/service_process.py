"""Starts the real service for tests."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

PATIENCE = 300.0


@contextmanager
def serving(bundle: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of ``semcore serve`` on ``bundle`` once it is ready, in float32."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "cli", "serve", str(bundle), "--port", str(port)]
    own = {**os.environ, "SEMCORE_DTYPE": "float32", "SEMCORE_ENFORCE_EAGER": "1", **environment}
    own.pop("REDIS_URL", None)
    with subprocess.Popen(command, env=own, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not _ready(url):
                assert process.poll() is None, "the service ended as it started"
                assert time.monotonic() < deadline, "the service did not become ready"
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
