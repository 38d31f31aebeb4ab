"""A body that grows too long is not read to its end."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.body_limit import BodyLimit
from service.errors import ImageTooLargeError

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
