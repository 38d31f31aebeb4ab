"""The server: on SIGTERM it says that it is not ready, serves on for a while, and ends.

A load balancer needs a moment to notice. Until it has, requests are answered as before, but each
connection is closed after its answer, so that none is open when the server ends.
"""

from __future__ import annotations

import asyncio
import signal
from types import FrameType

import uvicorn
from fastapi import FastAPI

from service.http.connection import bounded_protocol
from service.settings import Settings
from service.telemetry.logs import configure_logs
from service.telemetry.tracing import configure_tracing

_LAST = 0.3  # seconds for requests of connections that are open when the service stops listening


def run(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; a second signal ends at once."""
    configure_logs(settings.log_level, as_json=settings.log_format == "json")
    if settings.otlp_endpoint:
        configure_tracing(settings.otlp_endpoint)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded_protocol(settings.body_seconds),
        log_config=None,
        access_log=False,
    )
    DrainingServer(config, app, settings.drain_seconds).run()


class DrainingServer(uvicorn.Server):
    """Uvicorn with a while between the signal and the end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = False

    async def serve(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)  # type: ignore[arg-type]

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        # Who has just connected is about to ask; uvicorn would close before it has read that.
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LAST)
        await super().shutdown(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        retrieval = getattr(self._app.state, "retrieval", None)
        # A person at the terminal does not wait for load balancers.
        if self._told or sig == signal.SIGINT or self._loop is None or retrieval is None:
            super().handle_exit(sig, frame)
            return
        self._told = True
        retrieval.draining = True
        end = super().handle_exit
        self._loop.call_soon_threadsafe(self._loop.call_later, self._seconds, end, sig, frame)
