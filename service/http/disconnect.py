"""Departures: work for a client ends when the client has gone."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import Request

from service.errors import ClientGoneError
from service.traffic.race import unless

Answer = TypeVar("Answer")


async def unless_gone(request: Request, work: Awaitable[Answer]) -> Answer:
    """The result of ``work``, which is cancelled if the client closes its connection before.

    Args:
        request: its body was read already.

    Raises :class:`ClientGoneError` where the client did.
    """
    return await unless(_departure(request), work, lambda: ClientGoneError("the client has gone"))


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
