"""The server's end under load, and clients that go before their answer is there."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fake_engine import FakeEngine

from cli.service_process import free_port
from service.app import create_app
from service.settings import Settings

SUPPORT = Path(__file__).parents[1] / "support"
CLIENTS = 16


@contextmanager
def fake_service(bundle: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    command = [sys.executable, str(SUPPORT / "fake_service.py"), str(bundle), str(port), "0.002"]
    with subprocess.Popen(command, env={**os.environ, **settings}) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def until_ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        for _ in range(600):
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.ConnectError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError("not ready")


async def test_nothing_is_dropped_at_the_end(trained: Path) -> None:
    settings = {"SEMCORE_DRAIN_SECONDS": "2", "REDIS_URL": ""}
    with fake_service(trained / "bundle", **settings) as (process, url):
        await until_ready(url)
        answered = closed = unready = 0

        async def load(client: httpx.AsyncClient, number: int) -> None:
            nonlocal answered, closed, unready
            while True:
                body = {"query": f"boat {number} {answered}", "verify": "never"}
                try:
                    response = await client.post("/search/text-to-image", json=body)
                except httpx.ConnectError:  # nobody listens any more
                    return
                assert response.status_code == 200, response.text
                answered += 1
                closed += response.headers.get("connection") == "close"
                if response.headers.get("connection") == "close" and not unready:
                    unready = (await client.get("/readyz")).status_code

        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
            tasks = [asyncio.create_task(load(client, number)) for number in range(CLIENTS)]
            await asyncio.sleep(1)
            before = answered
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(asyncio.gather(*tasks), 60)
        assert await asyncio.to_thread(process.wait, 30) == -signal.SIGTERM
    assert 0 < before < answered
    assert closed >= CLIENTS
    assert unready == 503


@asynccontextmanager
async def served(bundle: Path) -> AsyncIterator[tuple[FakeEngine, str]]:
    """In this process, on a real socket."""
    app = create_app(Settings(bundle=bundle), FakeEngine)
    config = uvicorn.Config(app, port=free_port(), log_level="warning")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{config.port}"
    await until_ready(url)
    yield app.state.retrieval._engine.engine, url
    server.should_exit = True
    await task


async def test_a_client_that_goes_ends_its_search(trained: Path) -> None:
    async with served(trained / "bundle") as (engine, url), httpx.AsyncClient(base_url=url) as one:
        engine.seconds_a_beam = 100.0
        body = {"query": "a boat", "verify": "never"}
        with pytest.raises(httpx.ReadTimeout):
            await one.post("/search/text-to-image", json=body, timeout=0.3)
        await asyncio.sleep(0.2)
        assert engine.under_way == 0
        # Of two that ask the same, one may go.
        engine.seconds_a_beam = 0.05
        patient = asyncio.create_task(one.post("/search/text-to-image", json=body, timeout=30))
        await asyncio.sleep(0.1)
        with pytest.raises(httpx.ReadTimeout):
            await one.post("/search/text-to-image", json=body, timeout=0.2)
        assert engine.under_way == 1
        assert (await patient).status_code == 200
