"""The official client is served, in both eras of the protocol; who does not use it pays nothing."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import httpx2
import pytest
from fake_engine import FakeEngine
from key_file import write_keys
from live import served
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from reranking import inline
from searching import assert_one_sentence, search
from tool_calls import HEADERS, call, called

from service.app import create_app
from service.settings import Settings

Era = Literal["auto", "legacy"]


@asynccontextmanager
async def connected(url: str, era: Era = "auto", key: str = "") -> AsyncIterator[Client]:
    headers = {"X-API-Key": key} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=300) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=era) as client,
    ):
        yield client


def content(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    told: dict[str, Any] = result.structured_content
    return told


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_serves_the_official_client(few: Path, era: Era) -> None:
    async with served(few) as (_, url), connected(url, era) as client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["search_images", "search_texts", "similar", "why"]
        assert all(tool.description and tool.output_schema for tool in tools)
        found = content(await client.call_tool("search_images", {"query": "two red boats"}))
        texts = content(await client.call_tool("search_texts", {"image_base64": inline()}))
        assert all(item["text"] for item in texts["items"])
        first = found["items"][0]
        asked = {"query": "two red boats", "id": first["id"]}
        reason = content(await client.call_tool("why", asked))
        assert reason["found"] == first
        assert reason["path"]
        wrong = await client.call_tool("search_images", {"query": "a boat", "top_k": 10**6})
        assert wrong.is_error
        async with httpx.AsyncClient(base_url=url) as http:
            answer = (await search(http, query="two red boats")).json()
        assert [item["id"] for item in found["items"]] == [item["id"] for item in answer["items"]]


@pytest.mark.usefixtures("within_a_minute")
async def test_needs_a_key_and_counts_the_calls(few: Path, tmp_path: Path) -> None:
    async with served(few, keys=write_keys(tmp_path / "keys.json")) as (_, url):
        async with httpx.AsyncClient(base_url=url) as http:
            body = call("search_images", query="a boat")
            assert_one_sentence(await http.post("/mcp", json=body, headers=HEADERS), 401)
        async with connected(url, "legacy", "rare") as client:
            arguments = {"query": "a boat"}
            await client.list_tools()
            for _ in range(3):
                content(await client.call_tool("search_images", arguments))
            async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": "rare"}) as http:
                late = await http.post("/mcp", json=call("why", id="a"), headers=HEADERS)
                assert_one_sentence(late, 429)


async def test_a_call_ends_when_its_client_goes(few: Path) -> None:
    async with served(few) as (engine, url), httpx.AsyncClient(base_url=url) as http:
        engine.held = asyncio.Event()
        body = call("search_images", query="a boat that is waited for")
        calling = asyncio.create_task(http.post("/mcp", json=body, headers=HEADERS))
        while not engine.under_way:
            await asyncio.sleep(0.01)
        calling.cancel()
        while engine.under_way:
            await asyncio.sleep(0.01)
        engine.held = None
        assert (await called(http, "search_images", query="a boat"))["structuredContent"]["items"]


async def test_refuses_other_requests_in_one_sentence(client: httpx.AsyncClient) -> None:
    assert_one_sentence(await client.get("/mcp"), 405)
    headers = {**HEADERS, "Content-Type": "application/json"}
    many = await client.post("/mcp", content=b"[" + b"1," * 150_000 + b"1]", headers=headers)
    assert many.status_code == 400  # no request of the protocol
    parts = await client.post("/mcp", content=b"," * 600_000, headers=headers)
    assert_one_sentence(parts, 413)


async def test_says_that_the_sdk_cannot_be_loaded(
    few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ImportError("no SDK")

    monkeypatch.setattr("service.mcp.endpoint._sessions", missing)
    app = create_app(Settings(bundle=few), FakeEngine)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for _ in range(2):
                body = call("search_images", query="a boat")
                answer = await client.post("/mcp", json=body, headers=HEADERS)
                assert_one_sentence(answer, 500)


def test_the_sdk_is_loaded_by_the_first_request_only() -> None:
    program = "import sys, service.mcp.endpoint, service.mcp.tools; print('mcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
