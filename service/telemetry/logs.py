"""Logs: one JSON object a line, each with the id of the request that it belongs to.

Neither queries nor keys are logged; a key is known by its name.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.orjson import OrjsonFormatter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_request = ContextVar("request", default="")
_HEADER = "x-request-id"
_SOUND = re.compile(r"[\w.:+/=-]{1,128}")
_log = logging.getLogger("semcore.requests")


def configure_logs(level: str, *, as_json: bool) -> None:
    """Send what all libraries log to standard error, as JSON or for people."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_request)
    handler.setFormatter(
        OrjsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(request)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            defaults={"request": ""},
        )
        if as_json
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(request)s %(message)s")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class RequestLog:
    """ASGI middleware: gives each request an id, or takes over the client's, and logs its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(_HEADER.encode(), b"").decode("latin-1")
        name = sent if _SOUND.fullmatch(sent) else uuid.uuid4().hex
        token = _request.set(name)
        began, status = time.perf_counter(), 500

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                message["headers"] = [*headers, (_HEADER.encode(), name.encode("latin-1"))]
            await send(message)

        try:
            await self._app(scope, receive, named)
        finally:
            if _log.isEnabledFor(logging.INFO):
                _log.info(
                    "%s %s", scope["method"], _route(scope), extra=_facts(scope, status, began)
                )
            _request.reset(token)


def _facts(scope: Scope, status: int, began: float) -> dict[str, Any]:
    return {
        "status": status,
        "milliseconds": round(1000 * (time.perf_counter() - began), 1),
        "key": scope.get("state", {}).get("key", ""),
    }


def _route(scope: Scope) -> str:
    """Its template, since what stands in its place may be private."""
    return str(getattr(scope.get("route"), "path", "") or "(none)")


def _add_request(record: logging.LogRecord) -> bool:
    record.request = _request.get()
    return True
