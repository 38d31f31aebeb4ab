"""Stops reading a request's body where it grows too long."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import ImageTooLargeError


class BodyLimit:
    """ASGI middleware that raises :class:`ImageTooLargeError` beyond ``max_bytes``.

    The error rises inside the application as it reads, hence meets its error handlers.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise ImageTooLargeError(
                    f"the request is longer than {self._max_bytes} bytes; send a smaller image"
                )
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)
