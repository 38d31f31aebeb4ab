"""The endpoint: the protocol's streamable HTTP, which starts with the first request for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from service.http.auth import admit
from service.http.body import again, check_parts, read_body
from service.http.body_limit import most_bytes
from service.settings import Settings

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager


class McpEndpoint:
    """ASGI application. A request needs a key for searches, and each call of a tool counts."""

    path = "/mcp"

    def __init__(self, settings: Settings, version: str) -> None:
        """``version``: of the service, for clients."""
        self._settings = settings
        self._version = version
        self._sessions: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._is_over = asyncio.Event()

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Requests are served as long as this lasts."""
        self._is_over.clear()
        try:
            yield
        finally:
            self._is_over.set()
            if self._serving is not None:
                await asyncio.wait({self._serving})
            self._sessions = self._serving = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # for the logs
        request = Request(scope, receive)
        admit(request, "search", cost=0)
        body = await read_body(request, check_parts)
        sessions = await self._started()
        await sessions.handle_request(scope, again(body, receive), send)

    async def _started(self) -> StreamableHTTPSessionManager:
        if self._sessions is None:
            self._sessions = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(self._sessions))
        return await asyncio.shield(self._sessions)

    async def _serve(self, sessions: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        """In a task of its own, because what opens a group of tasks has to close it."""
        most = most_bytes(self.path, self._settings)
        try:
            manager = await asyncio.to_thread(_sessions, self._version, most)
        except Exception as error:
            sessions.set_exception(error)
            return
        async with manager.run():
            sessions.set_result(manager)
            await self._is_over.wait()


def _sessions(version: str, max_body_bytes: int) -> StreamableHTTPSessionManager:
    from service.mcp.tool_server import tool_sessions  # it imports the SDK

    return tool_sessions(version, max_body_bytes)
