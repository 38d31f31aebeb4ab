"""``semcore serve`` in a process of its own, from its start until it has ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from semcore.errors import SemcoreError

_PATIENCE = 600.0  # seconds until the service must be ready
_END = 30.0  # seconds that it may take to end


@contextmanager
def serving(
    bundle: Path, port: int = 0, environment: Mapping[str, str] = {}, *, alone: bool = False
) -> Iterator[str]:
    """The address of a service on ``bundle`` once it is ready; it ends with the context.

    Args:
        port: the port wanted; another one if it is taken or 0.
        environment: settings beside those of this process.
        alone: without those, which are for another service.

    Raises:
        SemcoreError: the service ended as it started, or was not ready in time.
    """
    port = free_port(port)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "cli", "serve", str(bundle), "--port", str(port)]
    here = {
        name: value
        for name, value in os.environ.items()
        if not (alone and name.startswith("SEMCORE_"))
    }
    own = {**here, **environment}
    with subprocess.Popen(command, env=own, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + _PATIENCE
            while not _ready(url):
                if process.poll() is not None:
                    raise SemcoreError("the service ended as it started; its reason stands above")
                if time.monotonic() > deadline:
                    raise SemcoreError(f"the service was not ready after {_PATIENCE:.0f} s")
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(_END)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port(wanted: int = 0) -> int:
    """``wanted`` if nothing listens there on loopback, else a port that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SemcoreError("no port is free on 127.0.0.1")


def _ready(url: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
