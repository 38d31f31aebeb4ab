"""The HTTP application on the fake engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_engine import FakeEngine

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
