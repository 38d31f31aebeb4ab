"""A connection whose head is endless, or never ends, is closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from cli.service_process import free_port
from service.http.connection import bounded_protocol


@asynccontextmanager
async def served(seconds: float) -> AsyncIterator[int]:
    app = FastAPI()

    @app.post("/")
    async def answer() -> str:
        return "well"

    port = free_port()
    config = uvicorn.Config(
        app, port=port, http=bounded_protocol(seconds), log_level="critical", lifespan="off"
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await task


async def ending(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What is answered before the connection is closed, while the parts are sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


START = b"POST / HTTP/1.1\r\nhost: here\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [START, *[b"x-more: " + 1000 * b"a" + b"\r\n"] * 5000],
        [START, b"x-long: ", *[1000 * b"a"] * 5000],
        [b"POST /", *[1000 * b"a"] * 5000],
    ],
    ids=["many headers", "a long header", "a long path"],
)
async def test_an_endless_head(parts: list[bytes]) -> None:
    async with served(60) as port:
        assert b"200" not in await ending(port, *parts)


@pytest.mark.parametrize("parts", [[], [START], [START, *[b"x"] * 200]])
async def test_a_head_that_never_ends(parts: list[bytes]) -> None:
    async with served(0.2) as port:
        assert await ending(port, *parts, pause=0.01) == b""


async def test_what_has_a_head_may_take_its_time() -> None:
    async with served(0.2) as port, httpx.AsyncClient() as client:

        async def slow() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield 100_000 * b"a"
                await asyncio.sleep(0.1)

        for _ in range(2):
            answer = await client.post(f"http://127.0.0.1:{port}/", content=slow())
            assert answer.json() == "well"
