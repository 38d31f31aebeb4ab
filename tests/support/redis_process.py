"""A real Redis server on loopback."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT

import redis


@contextmanager
def redis_server(port: int, folder: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """``folder``: of the dump that it begins with, if there is one, and that SAVE writes."""
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    if folder is not None:
        command += ["--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        client = redis.Redis(port=port)
        try:
            while not _answers(client):
                assert process.poll() is None, "the server ended as it started"
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(SIGCONT)
            process.kill()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
