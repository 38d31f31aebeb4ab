"""The server's side of a connection: what comes before a body is bounded, too."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LONGEST = 64 * 1024  # bytes of the request line and the headers


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's own, which ends connections whose request line and headers are too long, or are not
    there in time.

    Attributes:
        head_seconds: the time.
    """

    head_seconds = 30.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._waiting is None:
            return
        self._head += len(data)
        if self._head > _LONGEST and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        if self._waiting is None:
            self._head = 0
            self._waiting = self.loop.call_later(self.head_seconds, self.transport.close)

    def _end(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def bounded_protocol(seconds: float) -> type[BoundedProtocol]:
    """One with another ``head_seconds``."""
    return type("BoundedProtocol", (BoundedProtocol,), {"head_seconds": seconds})
