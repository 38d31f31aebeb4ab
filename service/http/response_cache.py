"""Repeats: a request that came before, byte by byte, is answered from the cache unread.

Reading JSON, checking it and finding the route take several times as long as looking an answer up.
What a request asks is therefore remembered by the request's bytes; only the cache knows answers.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from contextlib import suppress

from fastapi import Request, Response
from starlette.datastructures import State
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from semcore.errors import SemcoreError
from service.errors import ClientGoneError
from service.http.auth import admit
from service.http.body import again
from service.http.error_responses import failed
from service.retrieval import Retrieval
from service.search.request import Question

_PATHS = frozenset(["/search/text-to-image", "/search/image-to-text", "/search/similar"])
_LONGEST = 64 * 1024  # bytes of a body: hashing takes no longer than reading a short one
_MOST_BYTES = 4 * 2**20  # of the bodies remembered, which may be 30 times as large once read


def remember_question(request: Request, asked: Question) -> None:
    """Tell what a request asked, once it has an answer."""
    request.state.question = asked


def was_looked_up(request: Request) -> bool:
    """Whether the answer was looked for in the cache already, in vain."""
    return getattr(request.state, "looked", False)


class AnswerRepeats:
    """ASGI middleware.

    A repeat needs a key like any request, and is counted against its rate.
    """

    def __init__(self, app: ASGIApp, state: State, most: int) -> None:
        """
        Args:
            state: the application's.
            most: questions that are remembered, those used last.
        """
        self._app = app
        self._state = state
        self._known = _Known(most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_search = scope["type"] == "http" and scope["path"] in _PATHS
        if not is_search or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        length = request.headers.get("content-length", "")
        if not length.isdigit() or int(length) > _LONGEST:
            await self._app(scope, receive, send)
            return
        try:
            body = await _body(receive)
        except SemcoreError as error:
            await failed(error)(scope, receive, send)
            return
        kind = request.headers.get("content-type", "").encode()
        name = hashlib.sha256(b"\0".join((scope["path"].encode(), kind, body))).digest()
        known = self._known.get(name)
        if known is not None:
            asked, scope["route"] = known  # the route is for the logs
            response = await self._response(request, asked)
            if response is not None:
                await response(scope, receive, send)
                return
            request.state.looked = True
        await self._app(scope, again(body, receive), send)
        found: Question | None = getattr(request.state, "question", None)
        if found is not None and found.is_common and found.cursor is None:
            self._known.put(name, (found, scope.get("route")), len(body))

    async def _response(self, request: HTTPConnection, asked: Question) -> Response | None:
        """None if the cache has no answer, or the application is to say what is wrong."""
        try:
            admit(request, "search")
        except SemcoreError as error:
            return failed(error)
        retrieval: Retrieval = self._state.retrieval
        with suppress(SemcoreError):
            answer = await retrieval.kept(asked)
            return None if answer is None else Response(answer, media_type="application/json")
        return None


class _Known:
    """Questions and their routes by the hash of the request: those used last, at most so many, and
    with bodies of at most :data:`_MOST_BYTES` together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._kept: OrderedDict[bytes, tuple[tuple[Question, object], int]] = OrderedDict()

    def get(self, name: bytes) -> tuple[Question, object] | None:
        found = self._kept.get(name)
        if found is None:
            return None
        self._kept.move_to_end(name)
        return found[0]

    def put(self, name: bytes, known: tuple[Question, object], size: int) -> None:
        _, before = self._kept.pop(name, (None, 0))
        self._kept[name] = known, size
        self._bytes += size - before
        while len(self._kept) > self._most or self._bytes > _MOST_BYTES:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone


async def _body(receive: Receive) -> bytes:
    """Whole. Raises :class:`ClientGoneError` if the client goes before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError("the client has gone")
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
