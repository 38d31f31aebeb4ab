"""The server's end under load, and clients that go before their answer is there."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from live import fake_service, served, until_ready

SUPPORT = Path(__file__).parents[1] / "support"
CLIENTS = 16


async def test_nothing_is_dropped_at_the_end(trained: Path) -> None:
    """Clients go on until they have been told for a while that the service is not ready, as a load
    balancer does."""
    settings = {"SEMCORE_DRAIN_SECONDS": "15", "REDIS_URL": ""}
    with fake_service(trained / "bundle", **settings) as (process, url):
        await until_ready(url)
        answered, closed = [0] * CLIENTS, [0] * CLIENTS
        gone = asyncio.Event()

        async def load(client: httpx.AsyncClient, number: int) -> None:
            while not gone.is_set():
                query = f"boat {number} {answered[number]}"
                body = {"query": query, "verify": "never", "beam_width": 4}
                response = await client.post("/search/text-to-image", json=body)
                assert response.status_code == 200, response.text
                answered[number] += 1
                closed[number] += response.headers.get("connection") == "close"

        async def balance(client: httpx.AsyncClient) -> None:
            while (await client.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.1)
            await until(lambda: all(closed))
            gone.set()

        async def until(is_so: Callable[[], bool]) -> None:
            while not is_so() and not any(task.done() for task in tasks):
                await asyncio.sleep(0.05)

        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
            tasks = [asyncio.create_task(load(client, number)) for number in range(CLIENTS)]
            await until(lambda: all(answered))
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(asyncio.gather(balance(client), *tasks), 60)
        assert all(closed)
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGTERM


async def test_a_client_that_goes_ends_its_search(trained: Path) -> None:
    hasty = httpx.Timeout(60, read=0.3)
    async with served(trained / "bundle") as (engine, url), httpx.AsyncClient(base_url=url) as one:

        async def until_under_way(number: int) -> None:
            async with asyncio.timeout(60):
                while engine.under_way != number:
                    await asyncio.sleep(0.05)

        engine.held = asyncio.Event()
        body = {"query": "a boat", "verify": "never"}
        with pytest.raises(httpx.ReadTimeout):
            await one.post("/search/text-to-image", json=body, timeout=hasty)
        await until_under_way(0)
        # Of two that ask the same, one may go.
        patient = asyncio.create_task(one.post("/search/text-to-image", json=body, timeout=60))
        await until_under_way(1)
        with pytest.raises(httpx.ReadTimeout):
            await one.post("/search/text-to-image", json=body, timeout=hasty)
        await asyncio.sleep(0.2)  # for the service to see that
        assert engine.under_way == 1
        engine.held.set()
        assert (await patient).status_code == 200
