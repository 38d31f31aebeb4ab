"""A body that grows too long or too slowly is not read to its end, and its sender is told so."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fake_engine import FakeEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cli.service_process import free_port
from service.app import create_app
from service.errors import BodyTooLargeError, OverloadedError, SlowBodyError
from service.http.body_limit import SMALL, BodyLimit, most_bytes
from service.settings import Settings

PATH = "/search/text-to-image"


def scope(length: int | None = None, path: str = PATH) -> Scope:
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return {"type": "http", "path": path, "method": "POST", "headers": headers}


class Body:
    """Gives its chunks one after the other, each after a while."""

    def __init__(self, *chunks: bytes, seconds: float = 0.0) -> None:
        self._chunks = list(chunks)
        self._seconds = seconds
        self.given = 0

    async def receive(self) -> Message:
        await asyncio.sleep(self._seconds)
        self.given += 1
        return {
            "type": "http.request",
            "body": self._chunks[self.given - 1],
            "more_body": self.given < len(self._chunks),
        }


class Reader:
    """An application that reads its whole body, and may wait before it ends."""

    def __init__(self) -> None:
        self.read = b""
        self.has_read = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, _: Scope, receive: Receive, __: Send) -> None:
        more = True
        while more:
            message = await receive()
            self.read += message["body"]
            more = message["more_body"]
        self.has_read.set()
        await self.may_end.wait()


class Sent:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)


async def ask(app: ASGIApp, body: Body, length: int | None = None, path: str = PATH) -> Sent:
    sent = Sent()
    await app(scope(length, path), body.receive, sent)
    return sent


async def test_passes_what_fits() -> None:
    reader = Reader()
    await ask(BodyLimit(reader, Settings(max_body_bytes=1000)), Body(500 * b"a", 500 * b"b"), 1000)
    assert reader.read == 500 * b"a" + 500 * b"b"


async def test_stops_reading_beyond_the_limit() -> None:
    body = Body(*[500 * b"a"] * 1000)
    with pytest.raises(BodyTooLargeError, match="1200 bytes"):
        await ask(BodyLimit(Reader(), Settings(max_body_bytes=1200)), body)
    assert body.given == 3


@pytest.mark.parametrize("length", [1201, 10**30])
async def test_answers_first_where_a_body_says_that_it_is_too_long(length: int) -> None:
    body, reader, given = Body(b"a", b"b"), Reader(), []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 413
        given.append((body.given, message.get("more_body")))

    limit = BodyLimit(reader, Settings(max_body_bytes=1200))
    await limit(scope(length), body.receive, send)
    assert given == [(0, None), (0, True), (2, False)]
    assert not reader.has_read.is_set()


async def test_who_sends_on_hears_the_answer() -> None:
    """Also where the connection is to be closed after it."""
    limit = BodyLimit(Reader(), Settings(max_body_bytes=1200))
    port = free_port()
    config = uvicorn.Config(limit, port=port, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    size = 8_000_000
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    writer.write(head.encode())
    writer.write(size * b"a")
    await writer.drain()
    assert b" 413 " in await reader.readline()
    assert b"send less" in await reader.read()
    writer.close()
    server.should_exit = True
    await task


async def test_a_slow_body_is_given_up_with_its_connection() -> None:
    limit = BodyLimit(Reader(), Settings(body_seconds=0.05))
    body = Body(*[b"a"] * 1000, seconds=0.01)
    with pytest.raises(SlowBodyError, match="came in time"):
        await ask(limit, body)
    assert body.given < 100

    async def told(_: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(SlowBodyError):
            await receive()
        await send({"type": "http.response.start", "status": 408, "headers": []})

    sent = await ask(BodyLimit(told, Settings(body_seconds=0.01)), Body(b"", seconds=60))
    assert sent.messages[0]["headers"] == [(b"connection", b"close")]


async def test_large_bodies_share_a_budget() -> None:
    reader = Reader()
    reader.may_end.clear()
    limit = BodyLimit(reader, Settings(bodies_bytes=3 * SMALL))
    large = 2 * SMALL * b"a"
    first = asyncio.create_task(ask(limit, Body(large)))
    await reader.has_read.wait()
    with pytest.raises(OverloadedError, match="send this one again"):
        await ask(limit, Body(large))
    reader.may_end.set()
    await ask(limit, Body(SMALL * b"a"))  # counts for nothing
    await first
    await ask(limit, Body(large, large))  # more than there is room for, yet alone
    await ask(limit, Body(large))


def test_only_routes_of_pictures_have_room_for_pictures() -> None:
    settings = Settings(max_body_bytes=1000, max_image_bytes=30_000)
    assert most_bytes("/search/text-to-image", settings) == 1000
    assert most_bytes("/admin/index/reload", settings) == 1000
    assert most_bytes("/items/a", settings) == 1000
    assert most_bytes("/search/image-to-text", settings) > 40_000
    assert most_bytes("/mcp", settings) > 40_000
    assert most_bytes("/search/similar", settings) > 40_000
    assert most_bytes("/search/batch", settings) == 61_000
    assert most_bytes("/v1/rerank", settings) == 61_000
    assert most_bytes("/admin/items", settings) == 61_000


LONG = 300_000 * "a"
ITEM = {"id": "long", "kind": "text", "captions": [LONG]}


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in chunks"])
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/search/text-to-image", {"json": {"query": LONG}}),
        ("/search/image-to-text", {"json": {"image": LONG}}),
        ("/search/image-to-text", {"files": {"image": LONG.encode()}}),
        ("/search/batch", {"json": {"queries": [{"query": LONG}]}}),
        ("/admin/items", {"json": {"items": [ITEM]}}),
        ("/admin/index/reload", {"json": {"bundle": LONG}}),
    ],
    ids=["text", "picture in JSON", "picture in a form", "batch", "items", "reload"],
)
async def test_every_route_says_that_the_body_is_too_long(
    few: Path, path: str, sent: dict[str, Any], declared: bool
) -> None:
    settings = Settings(
        bundle=few, admin_key="a-key", max_image_bytes=70_000, max_body_bytes=70_000
    )
    app = create_app(settings, FakeEngine)
    async with app.router.lifespan_context(app):
        await app.state.retrieval.ready.wait()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            request = client.build_request("POST", path, headers={"X-API-Key": "a-key"}, **sent)
            if not declared:
                del request.headers["content-length"]
            answer = await client.send(request)
    assert answer.status_code == 413
    assert answer.json()["error"].startswith("the request is longer than")
    assert answer.headers["x-request-id"]
