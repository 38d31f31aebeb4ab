"""Bodies are read and checked beside the event loop, in bounds that say no early."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from service.errors import BodyTooLargeError, InvalidQueryError
from service.http import body as body_module
from service.http.body import again, check_parts, read_json
from service.schemas.answer import BatchQuery, TextQuery

LONG = {"query": "a boat", "trace": ["x" * 1000] * 10}  # longer than what is read at once


def nested(depth: int) -> dict[str, Any]:
    wanted: dict[str, Any] = {"field": "year", "gte": 1990}
    for _ in range(depth):
        wanted = {"not": wanted}
    return wanted


def told(model: type[BaseModel], body: object) -> list[Any]:
    with pytest.raises(RequestValidationError) as raised:
        read_json(model, orjson.dumps(body))
    return list(raised.value.errors())


def test_reads_what_is_sound() -> None:
    body = {"query": "a boat", "filter": nested(5), "top_k": 3}
    assert read_json(TextQuery, orjson.dumps(body)).top_k == 3


@pytest.mark.parametrize("wrong", [b"{", b'{"query": "\\ud800"}', b"\xff", b"[" * 100_000])
def test_says_that_it_is_no_json(wrong: bytes) -> None:
    with pytest.raises(RequestValidationError) as raised:
        read_json(TextQuery, wrong)
    assert raised.value.errors()[0]["type"] == "json_invalid"


def test_few_faults_are_told_of_however_many_there_are() -> None:
    assert len(told(TextQuery, {f"f{n}": 1 for n in range(199)})) <= 200
    wrong = {"field": "year", "in": [[]] * 1000}
    assert len(told(TextQuery, {"query": "a boat", "filter": wrong})) < 10
    many = {"and": [{"field": "year", "in": [None] * 1000}] * 64}
    assert len(told(BatchQuery, {"queries": [{"query": "a boat", "filter": many}] * 7})) < 50


def test_depth_fields_and_parts_are_bounded() -> None:
    with pytest.raises(InvalidQueryError, match="nested deeper"):
        read_json(TextQuery, orjson.dumps({"query": "a boat", "filter": nested(40)}))
    with pytest.raises(InvalidQueryError, match="more than 200 fields"):
        read_json(TextQuery, orjson.dumps({f"f{n}": 1 for n in range(201)}))
    with pytest.raises(BodyTooLargeError, match="parts"):
        read_json(BatchQuery, b'{"queries": [' + b"[]," * 500_000 + b"[]]}")


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads that have read JSON."""
    found: list[int] = []
    loads = orjson.loads

    def noted(content: bytes) -> object:
        found.append(threading.get_ident())
        return loads(content)

    monkeypatch.setattr(body_module.orjson, "loads", noted)
    return found


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/search/text-to-image", LONG),
        ("/search/image-to-text", {"image": "A" * 10_000}),
        ("/search/batch", {"queries": [LONG]}),
        ("/admin/items", {"items": [{"id": "a", "kind": "image", "image": "A" * 10_000}]}),
    ],
)
async def test_no_long_body_is_read_on_the_loop(
    client: httpx.AsyncClient, readers: list[int], path: str, body: dict[str, Any]
) -> None:
    answer = await client.post(path, json=body, headers={"X-API-Key": "a-key"})
    assert answer.status_code in (200, 415, 422), answer.text
    assert len(readers) == 1
    assert threading.get_ident() not in readers


async def test_the_loop_goes_on_while_a_body_is_read(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, may_read = threading.Event(), threading.Event()
    loads = orjson.loads

    def slow(content: bytes) -> object:
        alive.set()
        assert may_read.wait(60)
        return loads(content)

    monkeypatch.setattr(body_module.orjson, "loads", slow)
    searching = asyncio.create_task(client.post("/search/text-to-image", json=LONG))
    try:
        assert await asyncio.to_thread(alive.wait, 60)
        assert (await client.get("/healthz")).status_code == 200
        assert not searching.done()
    finally:
        may_read.set()
    assert (await searching).status_code == 200


async def test_without_a_key_no_body_is_read(
    guarded: httpx.AsyncClient, readers: list[int]
) -> None:
    for path in ("/search/text-to-image", "/search/batch", "/admin/items", "/admin/index/reload"):
        assert (await guarded.post(path, json=LONG)).status_code == 401
    assert not readers


async def test_queries_are_bounded_by_characters_before_any_work(
    client: httpx.AsyncClient,
) -> None:
    for query in ("x" * 4001, "x " * 2001, "\u4e2d" * 4001):
        answer = await client.post("/search/text-to-image", json={"query": query})
        assert answer.status_code == 422
        assert "at most 4000" in answer.json()["error"]
    batch = await client.post("/search/batch", json={"queries": [{"query": "x" * 4001}]})
    assert batch.json()["answers"][0]["status"] == 422
    answer = await client.post("/search/text-to-image", json={"query": "x" * 4000, "top_k": 1})
    assert answer.status_code == 200


async def test_a_form_has_few_fields(client: httpx.AsyncClient, few: Path) -> None:
    data = {f"field{n}": "1" for n in range(60)}
    answer = await client.post("/search/image-to-text", files={"image": b"x"}, data=data)
    assert answer.status_code == 400


def test_parts_are_counted_before_anything_is_parsed() -> None:
    assert check_parts(b"[1, 2]") == b"[1, 2]"
    with pytest.raises(BodyTooLargeError):
        check_parts(b"," * 500_001)


async def test_a_body_that_was_read_comes_again_before_what_follows() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    received = again(b"body", receive)
    assert await received() == {"type": "http.request", "body": b"body", "more_body": False}
    assert await received() == {"type": "http.disconnect"}
