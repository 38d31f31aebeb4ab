"""A service on the fake engine that wants keys, and the command line as a person calls it."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from key_file import write_keys
from live import fake_service, until_ready
from typer.testing import CliRunner, Result

from cli.main import app
from semcore.client import SemcoreClient

KEY = "both"
TWINS = ("twin-1", "twin-2", "twin-3")
"""Texts that were added with the same identifier."""


@contextmanager
def serving(bundle: Path, folder: Path, *items: Mapping[str, Any]) -> Iterator[str]:
    """Address of a service that wants keys, with some items added."""
    own = {
        "SEMCORE_KEYS": str(write_keys(folder / "keys.json")),
        "SEMCORE_JOURNAL": str(folder / "journal"),
        "REDIS_URL": "",
    }
    with fake_service(bundle, **own) as (_, url):
        asyncio.run(until_ready(url))
        if items:
            with SemcoreClient(url, KEY) as client:
                client.add(items)
        yield url


@pytest.fixture(scope="session")
def guarded(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service on a few items with metadata, three of which share an identifier."""
    same = {"kind": "text", "captions": ["a red boat at night"]}
    twins = [{"id": twin, **same} for twin in TWINS]
    with serving(few, tmp_path_factory.mktemp("guarded"), *twins) as url:
        yield url


@pytest.fixture(scope="session")
def compared(guided: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service whose guide compares items; three of those with a year are twins."""
    same = {"kind": "text", "captions": ["a red boat at night"]}
    twins = [{"id": twin, "metadata": {"year": 1990 + n}, **same} for n, twin in enumerate(TWINS)]
    with serving(guided, tmp_path_factory.mktemp("compared"), *twins) as url:
        yield url


@pytest.fixture
def likely(
    untrained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Result]]:
    """The same with a service that has no model, and knows how likely items are to be right."""
    folder = tmp_path_factory.mktemp("likely")
    shutil.copytree(untrained, folder / "bundle")
    done = CliRunner().invoke(app, ["calibrate", str(folder / "bundle")])
    assert done.exit_code == 0, done.output
    with serving(folder / "bundle", folder) as url:
        yield partial(run, url)


@pytest.fixture
def semcore(guarded: str) -> Callable[..., Result]:
    """Runs a command against the service, with its key in the environment."""
    return partial(run, guarded)


@pytest.fixture
def comparing(compared: str) -> Callable[..., Result]:
    """The same with the service whose guide compares items."""
    return partial(run, compared)


def run(url: str, *arguments: str, key: str | None = KEY) -> Result:
    environment = {"SEMCORE_KEY": key, "NO_COLOR": None, "FORCE_COLOR": None}
    return CliRunner().invoke(app, [*arguments, "--url", url], env=environment)
