"""Tools are described by schemas that their answers fit, and errors are one sentence."""

import json
from typing import Any

import httpx
import jsonschema
import pytest
from tool_calls import HEADERS, called, refused

from semcore.errors import EngineError


async def listed(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    response = await client.post("/mcp", json=body, headers=HEADERS)
    return {tool["name"]: tool for tool in response.json()["result"]["tools"]}


async def test_answers_fit_their_schemas(client: httpx.AsyncClient) -> None:
    tools = await listed(client)
    arguments = {"query": "two red boats", "top_k": 3}
    jsonschema.validate(arguments, tools["search_images"]["inputSchema"])
    result = await called(client, "search_images", **arguments)
    found = result["structuredContent"]
    assert len(found["items"]) == 3
    jsonschema.validate(found, tools["search_images"]["outputSchema"])
    assert json.loads(result["content"][0]["text"]) == found
    reason = await called(client, "why", id=found["items"][0]["id"], query="two red boats")
    jsonschema.validate(reason["structuredContent"], tools["why"]["outputSchema"])
    for tool in tools.values():
        assert tool["annotations"]["readOnlyHint"]
        assert "\n" not in tool["description"]


async def test_errors_are_one_sentence(client: httpx.AsyncClient) -> None:
    assert "search_images" in await refused(client, "no_tool")
    assert await refused(client, "search_images") == "query: Field required"
    assert (await refused(client, "search_images", query="a", top_k=0)).startswith("top_k: ")
    assert "top_k may be at most" in await refused(client, "search_images", query="a", top_k=999)
    wrong = {"field": "year"}
    assert (await refused(client, "search_images", query="a", filter=wrong)).startswith("filter")
    assert "base64" in await refused(client, "search_texts", image_base64="?")
    assert "no item" in await refused(client, "why", id="none", query="a")


async def test_a_lost_engine_is_an_error_of_the_call(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = client.app.state.retrieval._engine.engine  # type: ignore[attr-defined]

    async def failing(*_: object, **__: object) -> None:
        raise EngineError("the engine has failed")

    monkeypatch.setattr(engine, "find", failing)
    assert await refused(client, "search_images", query="lost") == "the engine has failed"
