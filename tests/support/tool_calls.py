"""Calls of tools as the protocol has them on the wire, without a client of it."""

from typing import Any

import httpx

HEADERS = {"Accept": "application/json"}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """The body of a request."""
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


async def called(client: httpx.AsyncClient, tool: str, **arguments: Any) -> dict[str, Any]:
    """The result of a call."""
    response = await client.post("/mcp", json=call(tool, **arguments), headers=HEADERS)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()["result"]
    return result


async def refused(client: httpx.AsyncClient, tool: str, **arguments: Any) -> str:
    """The one sentence of a call that is refused."""
    result = await called(client, tool, **arguments)
    assert result["isError"]
    (content,) = result["content"]
    assert "\n" not in content["text"]
    sentence: str = content["text"]
    return sentence
