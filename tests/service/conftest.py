"""The HTTP application on the fake engine."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fake_engine import FakeEngine
from key_file import write_keys
from limits.storage import memory

from service.app import create_app
from service.settings import Settings

KEY = "a-key"


@pytest.fixture
async def client(trained: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        bundle=trained / "bundle", admin_key=KEY, max_image_pixels=1_000_000, queued_searches=20
    )
    app = create_app(settings, FakeEngine)
    async with app.router.lifespan_context(app):
        await app.state.retrieval.ready.wait()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            opened.app = app  # type: ignore[attr-defined]
            yield opened


@pytest.fixture
def within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who count what a minute allows."""
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: 3e9 + 1))


@pytest.fixture
async def guarded(trained: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    keys = write_keys(tmp_path / "keys.json")
    app = create_app(Settings(bundle=trained / "bundle", keys=keys), FakeEngine)
    async with app.router.lifespan_context(app):
        await app.state.retrieval.ready.wait()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            yield opened
