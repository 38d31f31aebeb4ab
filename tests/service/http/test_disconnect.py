"""Work for a client ends when the client has gone, and not before."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from service.errors import ClientGoneError
from service.http.disconnect import unless_gone


class Client:
    """Sends what it is told to, and then stays."""

    def __init__(self, *kinds: str) -> None:
        self._kinds = list(kinds)

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if not self._kinds:
            await asyncio.Future()
        return {"type": self._kinds.pop(0)}

    @property
    def request(self) -> Request:
        return Request({"type": "http"}, self.receive)


async def test_a_client_that_stays_gets_its_answer() -> None:
    async def work() -> str:
        await asyncio.sleep(0.01)
        return "answer"

    # What is left of a body is no departure.
    assert await unless_gone(Client("http.request").request, work()) == "answer"


async def test_work_is_cancelled_where_the_client_has_gone() -> None:
    is_cancelled = asyncio.Event()

    async def work() -> str:
        try:
            await asyncio.Future()
        finally:
            is_cancelled.set()
        return "answer"

    with pytest.raises(ClientGoneError):
        await unless_gone(Client("http.request", "http.disconnect").request, work())
    await asyncio.wait_for(is_cancelled.wait(), 60)
