"""Two services behind the proxy, which share Redis and the bundle: one may go at any time."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis
from live import fake_service, until_ready

from cli.service_process import free_port

CONFIG = Path(__file__).parents[2] / "deploy/proxy/haproxy.cfg"
SEARCH = "/search/text-to-image"
KEY = "secret"


@dataclass
class House:
    proxy: str
    services: list[tuple[subprocess.Popen[bytes], str]]


@pytest.fixture
async def house(few: Path, tmp_path: Path, redis_url: str) -> AsyncIterator[House]:
    redis.Redis.from_url(redis_url).flushall()
    own = {"REDIS_URL": redis_url, "SEMCORE_ADMIN_KEY": KEY, "SEMCORE_DRAIN_SECONDS": "3"}
    async with AsyncExitStack() as stack:
        services = [
            stack.enter_context(fake_service(few, SEMCORE_JOURNAL=str(tmp_path / name), **own))
            for name in ("one", "two")
        ]
        for _, url in services:
            await until_ready(url)
        port = free_port()
        text = CONFIG.read_text().replace("bind :8080", f"bind 127.0.0.1:{port}")
        for name, (_, url) in zip(("service:8080", "second:8080"), services, strict=True):
            text = text.replace(name, url.removeprefix("http://"))
        config = tmp_path / "haproxy.cfg"
        config.write_text(text)
        program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "this test needs haproxy (Debian: apt install haproxy)"
        subprocess.run([program, "-c", "-f", config], check=True, stdout=subprocess.DEVNULL)
        proxy = stack.enter_context(subprocess.Popen([program, "-db", "-f", config]))
        stack.callback(proxy.kill)
        await until_ready(f"http://127.0.0.1:{port}")
        yield House(f"http://127.0.0.1:{port}", services)


async def answered(url: str) -> float:
    async with httpx.AsyncClient(timeout=60) as client:
        lines = (await client.get(f"{url}/metrics")).text.splitlines()
    counts = [line for line in lines if line.startswith("semcore_searches_total{")]
    return sum(float(line.split()[-1]) for line in counts if '"answered"' in line)


async def test_services_share_the_work_the_cache_and_the_items(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.proxy, timeout=300) as client:
        queries = [client.post(SEARCH, json={"query": f"boat {n}"}) for n in range(40)]
        assert {answer.status_code for answer in await asyncio.gather(*queries)} == {200}
        shares = [await answered(url) for _, url in house.services]
        assert sum(shares) == 40
        assert min(shares) > 0
        for _ in range(4):  # whichever is asked
            await until_cached(client)
        item = {"id": "new", "kind": "text", "captions": ["a red boat at night"]}
        added = await client.post(
            "/admin/items", json={"items": [item]}, headers={"X-API-Key": KEY}
        )
        assert added.status_code == 200, added.text
        for _, url in house.services:
            await until_found(f"{url}/items/new")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
async def test_one_may_go_under_load(house: House, by: signal.Signals) -> None:
    done = 0
    ended = asyncio.Event()

    async def load(client: httpx.AsyncClient, number: int) -> None:
        nonlocal done
        while not ended.is_set():
            # Longer than the proxy's usual buffer.
            body = {"query": f"boat {number} {done}{20_000 * ' '}"}
            answer = await client.post(SEARCH, json=body)
            assert answer.status_code == 200, answer.text
            done += 1

    async def until_done(wanted: int) -> None:
        while done < wanted and not any(task.done() for task in tasks):
            await asyncio.sleep(0.1)

    async with httpx.AsyncClient(base_url=house.proxy, timeout=300) as client:
        tasks = [asyncio.create_task(load(client, number)) for number in range(8)]
        await until_done(1)
        house.services[0][0].send_signal(by)
        await asyncio.to_thread(house.services[0][0].wait)
        await until_done(done + 2 * len(tasks))  # of which some were asked after its end
        ended.set()
        await asyncio.gather(*tasks)


async def until_cached(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(120):
        while not (await client.post(SEARCH, json={"query": "boat 0"})).json()["cached"]:
            await asyncio.sleep(0.1)


async def until_found(url: str) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        async with asyncio.timeout(120):
            while (await client.get(url)).status_code != 200:
                await asyncio.sleep(0.1)
