"""A line a request, with its id, and nothing that is private."""

import json
import logging

import httpx
import pytest

from service.telemetry.logs import configure_logs


@pytest.fixture
def restored() -> object:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield None
    root.handlers[:], _ = before
    root.setLevel(before[1])


async def test_logs_each_request_once(
    client: httpx.AsyncClient, restored: object, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info", as_json=True)
    secret = {"X-API-Key": "a-secret-key"}
    await client.post("/search/text-to-image", json={"query": "a private boat"}, headers=secret)
    named = await client.get("/items/private-item", headers={"X-Request-ID": "mine-1"})
    odd = await client.get("/nowhere", headers={"X-Request-ID": "two\twords"})
    assert named.headers["X-Request-ID"] == "mine-1"
    assert odd.headers["X-Request-ID"] != "two\twords"
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    written = json.dumps([line for line in lines if line["logger"] != "httpx"])
    mine = [line for line in lines if line["logger"] == "semcore.requests"]
    assert [(line["message"], line["status"]) for line in mine] == [
        ("POST /search/text-to-image", 200),
        ("GET /items/{item_id:path}", 404),
        ("GET (none)", 404),
    ]
    assert mine[1]["request"] == "mine-1"
    assert all(line["milliseconds"] >= 0 and line["level"] == "INFO" for line in mine)
    assert "private" not in written.replace("/items/{item_id:path}", "")
    assert "secret" not in written
