"""The application on the fake engine, searches over HTTP, and what is expected of every answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fake_engine import FakeEngine

from service.app import create_app
from service.beams.side import Side
from service.index.index import Index
from service.settings import Settings

KEY = "a-key"
ADMIN = {"X-API-Key": KEY}


def administered(bundle: Path, folder: Path, **more: Any) -> Settings:
    """Settings with a key for administration, and the journal in a folder of its own."""
    return Settings(bundle=bundle, admin_key=KEY, journal=folder / "journal", **more)


def pictures_of(index: Index) -> Side:
    """The side of the pictures."""
    side = index.snapshot.side("image")
    assert side is not None
    return side


@asynccontextmanager
async def client_of(settings: Settings, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sends a key, with the application as ``app``, once that is ready."""
    app = create_app(settings, FakeEngine)
    async with app.router.lifespan_context(app):
        await app.state.retrieval.ready.wait()
        headers = {} if key is None else {"X-API-Key": key}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=headers
        ) as opened:
            opened.app = app  # type: ignore[attr-defined]
            yield opened


async def search(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    return await client.post("/search/text-to-image", json={"query": "two red boats", **body})


async def upload(client: httpx.AsyncClient, content: bytes, **fields: str) -> httpx.Response:
    return await client.post("/search/image-to-text", files={"image": content}, data=fields)


async def assert_serves(client: httpx.AsyncClient) -> None:
    response = await search(client, top_k=3)
    assert response.status_code == 200, response.text
    assert len(response.json()["items"]) == 3


def assert_one_sentence(response: httpx.Response, status: int) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert body["error"]
    assert "\n" not in body["error"]
