"""Closes connections while the service drains."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LastAnswer:
    """ASGI middleware that closes connections with their next answer while the service drains."""

    def __init__(self, app: ASGIApp, state: object) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        draining = getattr(getattr(self._state, "retrieval", None), "draining", False)
        await self._app(scope, receive, closing if draining else send)
