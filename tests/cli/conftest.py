"""A service on the fake engine that wants keys, and the command line as a person calls it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from key_file import write_keys
from live import fake_service, until_ready
from typer.testing import CliRunner, Result

from cli.main import app
from semcore.client import SemcoreClient

KEY = "both"
TWINS = ("twin-1", "twin-2", "twin-3")
"""Texts that were added with the same identifier."""


@pytest.fixture(scope="session")
def guarded(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service on a few items with metadata, three of which share an identifier."""
    folder = tmp_path_factory.mktemp("guarded")
    own = {
        "SEMCORE_KEYS": str(write_keys(folder / "keys.json")),
        "SEMCORE_JOURNAL": str(folder / "journal"),
        "REDIS_URL": "",
    }
    with fake_service(few, **own) as (_, url):
        asyncio.run(until_ready(url))
        with SemcoreClient(url, KEY) as client:
            same = {"kind": "text", "captions": ["a red boat at night"]}
            client.add([{"id": twin, **same} for twin in TWINS])
        yield url


@pytest.fixture
def semcore(guarded: str) -> Callable[..., Result]:
    """Runs a command against the service, with its key in the environment."""

    def run(*arguments: str, key: str | None = KEY) -> Result:
        environment = {"SEMCORE_KEY": key, "NO_COLOR": None, "FORCE_COLOR": None}
        return CliRunner().invoke(app, [*arguments, "--url", guarded], env=environment)

    return run
