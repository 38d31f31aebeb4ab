"""The engine's process is killed in the middle of searches: all are told, and the service ends."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL, SIGTERM

import httpx
import psutil
import pytest
from live import until_ready
from moment import SERVICE

from cli.service_process import free_port

CLIENTS = 8


@pytest.mark.slow
async def test_a_killed_engine_is_found_out_at_once(trained: Path, tmp_path: Path) -> None:
    port = free_port()
    own = {
        **SERVICE,
        "SEMCORE_ONE_PROCESS": "0",
        "SEMCORE_EXIT_WHEN_LOST": "1",
        "SEMCORE_DRAIN_SECONDS": "2",
        "SEMCORE_JOURNAL": str(tmp_path),
    }
    command = [sys.executable, "-m", "cli", "serve", str(trained / "bundle"), "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    statuses: list[int] = []
    with subprocess.Popen(command, env={**os.environ, **own}) as process:
        try:
            await until_ready(url)
            engine = next(
                child
                for child in psutil.Process(process.pid).children(recursive=True)
                if "EngineCore" in child.name() or "EngineCore" in " ".join(child.cmdline())
            )

            async def load(client: httpx.AsyncClient, number: int) -> None:
                for turn in range(10_000):
                    body = {"query": f"boat {number} {turn}"}
                    answer = await client.post("/search/text-to-image", json=body)
                    statuses.append(answer.status_code)
                    if answer.status_code != 200:
                        assert "engine" in answer.json()["error"]
                        return

            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                tasks = [asyncio.create_task(load(client, number)) for number in range(CLIENTS)]
                await asyncio.sleep(2)
                engine.send_signal(SIGKILL)
                await asyncio.wait_for(asyncio.gather(*tasks), 60)
                assert (await client.get("/readyz")).status_code == 503
                assert (await client.get("/healthz")).status_code == 503
            assert await asyncio.to_thread(process.wait, 60) == -SIGTERM
        finally:
            process.kill()
    assert statuses.count(503) == CLIENTS
    assert set(statuses) == {200, 503}
