"""Services on the fake engine that listen on loopback."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fake_engine import FakeEngine

from cli.service_process import free_port
from service.app import create_app
from service.settings import Settings

SCRIPT = Path(__file__).with_name("fake_service.py")


@contextmanager
def fake_service(
    bundle: Path, seconds_a_beam: float = 0.002, **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    command = [sys.executable, str(SCRIPT), str(bundle), str(port), str(seconds_a_beam)]
    with subprocess.Popen(command, env={**os.environ, **settings}) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def until_ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        for _ in range(2000):
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError("not ready")


@asynccontextmanager
async def served(bundle: Path, **settings: Any) -> AsyncIterator[tuple[FakeEngine, str]]:
    """In this process, on a real socket."""
    app = create_app(Settings(bundle=bundle, **settings), FakeEngine)
    config = uvicorn.Config(app, port=free_port(), log_level="warning")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{config.port}"
    await until_ready(url)
    yield app.state.retrieval._engine.engine, url
    server.should_exit = True
    await task
