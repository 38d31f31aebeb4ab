"""A body that grows too long is not read to its end, and its sender is told so."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_engine import FakeEngine
from starlette.types import Message, Receive, Scope, Send

from service.app import create_app
from service.body_limit import BodyLimit
from service.errors import ImageTooLargeError
from service.settings import Settings

SCOPE: Scope = {"type": "http"}


class Reader:
    """An application that reads its whole body, from chunks of four bytes."""

    def __init__(self, chunks: int) -> None:
        self.given = 0
        self.read = b""
        self._chunks = chunks

    async def __call__(self, _: Scope, receive: Receive, __: Send) -> None:
        more = True
        while more:
            message = await receive()
            self.read += message["body"]
            more = message["more_body"]

    async def receive(self) -> Message:
        self.given += 1
        return {"type": "http.request", "body": b"four", "more_body": self.given < self._chunks}


async def send(_: Message) -> None:
    pass


async def test_passes_what_fits() -> None:
    reader = Reader(chunks=3)
    await BodyLimit(reader, 12)(SCOPE, reader.receive, send)
    assert reader.read == b"four" * 3


async def test_stops_reading_beyond_the_limit() -> None:
    reader = Reader(chunks=1000)
    with pytest.raises(ImageTooLargeError, match="11 bytes"):
        await BodyLimit(reader, 11)(SCOPE, reader.receive, send)
    assert reader.given == 3


LONG = 100_000 * "a"  # more than is read before the routes, to find repeats
ITEM = {"id": "long", "kind": "text", "captions": [LONG]}


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/search/text-to-image", {"json": {"query": LONG}}),
        ("/search/image-to-text", {"json": {"image": LONG}}),
        ("/search/image-to-text", {"files": {"image": LONG.encode()}}),
        ("/search/batch", {"json": {"queries": [{"query": LONG}]}}),
        ("/admin/items", {"json": {"items": [ITEM]}}),
    ],
    ids=["text", "picture in JSON", "picture in a form", "batch", "items"],
)
async def test_every_route_says_that_the_body_is_too_long(
    few: Path, path: str, sent: dict[str, Any]
) -> None:
    settings = Settings(bundle=few, admin_key="a-key", max_image_bytes=len(LONG) // 2)
    app = create_app(settings, FakeEngine)
    async with app.router.lifespan_context(app):
        await app.state.retrieval.ready.wait()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.post(path, headers={"X-API-Key": "a-key"}, **sent)
    assert answer.status_code == 413
    assert answer.json()["error"].startswith("the request is longer than 100000 bytes")
