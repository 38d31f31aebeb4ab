"""Searches go on, all answered, while Redis hangs, dies, talks nonsense and comes back."""

import asyncio
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import httpx
import pytest
from live import fake_service, until_ready
from redis_process import redis_server

from cli.service_process import free_port

CLIENTS = 16
SEARCH = "/search/text-to-image"


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        writer.write(b"$-7\r\nnonsense\x00\xff")
    writer.close()


@pytest.mark.slow
async def test_no_fault_of_redis_fails_a_search(trained: Path) -> None:
    port = free_port()
    own = {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    answered: dict[str, int] = {}
    fault = "healthy"
    ended = asyncio.Event()

    async def load(client: httpx.AsyncClient, number: int) -> None:
        turn = 0
        while not ended.is_set():
            # Every second search repeats the one before.
            body = {"query": f"boat {number} {turn // 2}", "verify": "never"}
            now, turn = fault, turn + 1
            answer = await client.post(SEARCH, json=body)
            assert answer.status_code == 200, answer.text
            answered[now] = answered.get(now, 0) + 1

    async def until_answered() -> None:
        """Each client in this state, twice on the average."""
        async with asyncio.timeout(60):
            while answered.get(fault, 0) < 2 * CLIENTS:
                await asyncio.sleep(0.1)

    limits = httpx.Limits(max_connections=None)
    with fake_service(trained / "bundle", **own) as (_, url), redis_server(port) as server:
        await until_ready(url)
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
            tasks = [asyncio.create_task(load(client, number)) for number in range(CLIENTS)]
            await until_answered()
            fault = "hung"
            server.send_signal(SIGSTOP)
            await until_answered()
            server.send_signal(SIGCONT)
            fault = "killed"
            server.kill()
            await asyncio.to_thread(server.wait)
            await until_answered()
            fault = "garbage"
            nonsense = await asyncio.start_server(garbage, "127.0.0.1", port)
            await until_answered()
            nonsense.close()
            with redis_server(port):
                fault = "back"
                await until_cached(client)
                ended.set()
                await asyncio.gather(*tasks)
    assert answered.keys() == {"healthy", "hung", "killed", "garbage", "back"}


async def until_cached(client: httpx.AsyncClient) -> None:
    for turn in range(300):
        body = {"query": f"again {turn // 4}", "verify": "never"}
        if (await client.post(SEARCH, json=body)).json()["cached"]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the cache never came back")
