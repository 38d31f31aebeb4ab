"""Searches over HTTP, and what is expected of every answer."""

import httpx


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
