"""Connections are closed with their next answer while the service drains, and only then."""

from types import SimpleNamespace

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from service.http.last_answer import LastAnswer


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("well", headers={"x-own": "kept"})(scope, receive, send)


async def answered(state: object) -> httpx.Response:
    transport = httpx.ASGITransport(LastAnswer(application, state))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/")


@pytest.mark.parametrize(
    "state",
    [SimpleNamespace(), SimpleNamespace(retrieval=SimpleNamespace(draining=False))],
    ids=["not started", "serving"],
)
async def test_a_connection_stays_open(state: object) -> None:
    assert "connection" not in (await answered(state)).headers


async def test_a_connection_is_closed_as_the_service_drains() -> None:
    retrieval = SimpleNamespace(draining=False)
    state = SimpleNamespace(retrieval=retrieval)
    await answered(state)
    retrieval.draining = True
    answer = await answered(state)
    assert answer.headers["connection"] == "close"
    assert (answer.text, answer.headers["x-own"]) == ("well", "kept")


async def test_only_the_start_of_an_answer_is_touched() -> None:
    sent = []
    messages = [{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}]

    async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    async def keep(message: object) -> None:
        sent.append(message)

    async def nothing() -> dict[str, str]:
        return {"type": "http.request"}

    draining = SimpleNamespace(retrieval=SimpleNamespace(draining=True))
    await LastAnswer(bare, draining)({"type": "http"}, nothing, keep)
    assert sent == [{**messages[0], "headers": [(b"connection", b"close")]}, messages[1]]
