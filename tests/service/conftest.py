"""The HTTP application on the fake engine."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from key_file import write_keys
from limits.storage import memory
from searching import client_of

from service.settings import Settings

KEY = "a-key"


@pytest.fixture
async def client(trained: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        bundle=trained / "bundle", admin_key=KEY, max_image_pixels=1_000_000, queued_searches=20
    )
    async with client_of(settings) as opened:
        yield opened


@pytest.fixture
def within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who count what a minute allows."""
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: 3e9 + 1))


@pytest.fixture
async def guarded(trained: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    keys = write_keys(tmp_path / "keys.json")
    async with client_of(Settings(bundle=trained / "bundle", keys=keys)) as opened:
        yield opened
