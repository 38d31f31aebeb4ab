"""Bounds the bodies of requests: how long each is, how long it takes, and all of them together."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLargeError, OverloadedError, RequestError, SlowBodyError
from service.http.error_responses import failed
from service.settings import Settings
from service.telemetry import metrics

_PICTURE = frozenset(["/search/image-to-text", "/search/similar", "/mcp"])
_PICTURES = frozenset(["/search/batch", "/v1/rerank", "/admin/items"])
_BYTES_A_SECOND = 100_000
_LINGERS = 2.0  # seconds
_THROWN_AWAY = 64_000_000  # bytes


class BodyLimit:
    """ASGI middleware.

    A body that says how long it is, and is too long, is refused before any of it is read; for a
    moment it is thrown away then, since who still sends would miss the answer. The other errors
    rise inside the application as it reads, hence meet its error handlers.

    Raises:
        BodyTooLargeError: the body is longer than its route takes.
        SlowBodyError: it was not there in time.
        OverloadedError: with what other requests hold it is too much.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._held = 0  # bytes of all large bodies that are in the service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = most_bytes(scope["path"], self._settings)
        said = Headers(scope=scope).get("content-length", "")
        if said.isdecimal() and (len(said) > 15 or int(said) > most):
            await _refused(_too_long(most), scope, receive, send)
            return
        body = _Body(self, receive, most, self._settings.body_seconds)

        async def ending(message: Message) -> None:
            if message["type"] == "http.response.start" and body.is_late:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        try:
            await self._app(scope, body.receive, ending)
        finally:
            self._held -= body.held

    def hold(self, more: int, mine: int) -> None:
        """Count ``more`` bytes of a body of which ``mine`` are counted already."""
        others = self._held - mine
        if others and self._held + more > self._settings.bodies_bytes:
            metrics.REFUSED.labels("bodies").inc()
            raise OverloadedError("too many large requests are under way; send this one again", 1)
        self._held += more


class _Body:
    """Attributes:
    held: bytes that count among all large bodies.
    is_late: it was given up, and so is its connection.
    """

    def __init__(self, limit: BodyLimit, receive: Receive, most: int, seconds: float) -> None:
        self.held = 0
        self.is_late = False
        self._limit = limit
        self._receive = receive
        self._most = most
        self._until = asyncio.get_running_loop().time() + seconds
        self._read = 0
        self._is_over = False

    async def receive(self) -> Message:
        if self._is_over:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until + self._read / _BYTES_A_SECOND):
                message = await self._receive()
        except TimeoutError as error:
            self.is_late = True
            raise SlowBodyError(
                f"of the request's body {self._read} bytes came in time; send it faster"
            ) from error
        size = len(message.get("body", b""))
        self._read += size
        self._is_over = not message.get("more_body", False)
        if self._read > self._most:
            raise _too_long(self._most)
        if self._read > SMALL:
            more = self._read - self.held
            self._limit.hold(more, self.held)
            self.held += more
        return message


SMALL = 64 * 1024
"""Bytes of a body that count for nothing: as many the server reads ahead."""


def most_bytes(path: str, settings: Settings) -> int:
    """Bytes that a body for a path may have: room for a picture in base64, or for several."""
    if path in _PICTURE:
        return settings.max_body_bytes + 4 * (settings.max_image_bytes // 3 + 1)
    if path in _PICTURES:
        return settings.max_body_bytes + 2 * settings.max_image_bytes
    return settings.max_body_bytes


async def _refused(error: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
    async def begun(message: Message) -> None:
        is_body = message["type"] == "http.response.body"
        await send({**message, "more_body": True} if is_body else message)

    await failed(error)(scope, receive, begun)
    left = _THROWN_AWAY
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGERS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _too_long(most: int) -> RequestError:
    return BodyTooLargeError(f"the request is longer than {most} bytes; send less at a time")
