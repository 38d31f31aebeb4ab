"""The server's end under load, and clients that go before their answer is there."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest
from live import fake_service, served, until_ready

SUPPORT = Path(__file__).parents[1] / "support"
CLIENTS = 16


async def test_nothing_is_dropped_at_the_end(trained: Path) -> None:
    """Clients go on until they have been told for a while that the service is not ready, as a load
    balancer does."""
    settings = {"SEMCORE_DRAIN_SECONDS": "4", "REDIS_URL": ""}
    with fake_service(trained / "bundle", **settings) as (process, url):
        await until_ready(url)
        answered = closed = 0
        gone = asyncio.Event()

        async def load(client: httpx.AsyncClient, number: int) -> None:
            nonlocal answered, closed
            while not gone.is_set():
                body = {"query": f"boat {number} {answered}", "verify": "never"}
                response = await client.post("/search/text-to-image", json=body)
                assert response.status_code == 200, response.text
                answered += 1
                closed += response.headers.get("connection") == "close"

        async def balance(client: httpx.AsyncClient) -> None:
            while (await client.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.1)
            await asyncio.sleep(1)
            gone.set()

        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
            tasks = [asyncio.create_task(load(client, number)) for number in range(CLIENTS)]
            await asyncio.sleep(1)
            before = answered
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(asyncio.gather(balance(client), *tasks), 60)
        assert await asyncio.to_thread(process.wait, 30) == -signal.SIGTERM
    assert 0 < before < answered
    assert closed >= CLIENTS


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
