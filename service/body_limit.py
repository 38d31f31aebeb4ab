"""Stops reading a request's body where it grows too long."""

from __future__ import annotations

from starlette.exceptions import HTTPException
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
                raise _TooLongError(
                    f"the request is longer than {self._max_bytes} bytes; send less at a time"
                )
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)


class _TooLongError(ImageTooLargeError, HTTPException):
    """FastAPI answers 400 to what goes wrong as it reads a body, unless it is an error of HTTP."""

    def __init__(self, sentence: str) -> None:
        HTTPException.__init__(self, self.status, sentence)
        self.retry_after = None

    def __str__(self) -> str:
        return self.detail
