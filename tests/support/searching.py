"""The application on the fake engine, searches over HTTP, and what is expected of every answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fake_engine import FakeEngine

from service.app import create_app
from service.settings import Settings


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
