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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semcore.errors import SemcoreError
from service.access import sent_key
from service.failure import failed
from service.question import Question
from service.retrieval import Retrieval

_PATHS = frozenset(["/search/text-to-image", "/search/image-to-text"])
_LONGEST = 64 * 1024  # bytes of a body: hashing takes no longer than reading a short one


def remember_question(request: Request, asked: Question) -> None:
    """Tell what a request asked, once it has an answer."""
    request.state.question = asked


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
        self._most = most
        self._known: OrderedDict[bytes, tuple[Question, object]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") not in _PATHS or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > _LONGEST:
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return  # nobody is there any more
        kind = headers.get(b"content-type", b"")
        parts = (scope["path"].encode(), kind, body)
        name = hashlib.sha256(b"\0".join(parts)).digest()
        asked, route = self._known.get(name, (None, None))
        answer = None if asked is None else await self._kept(asked)
        if answer is not None:
            self._known.move_to_end(name)
            scope["route"] = route
            await self._response(scope, headers, answer)(scope, receive, send)
            return
        await self._app(scope, _again(body, receive), send)
        asked = scope.get("state", {}).get("question")
        if asked is not None and asked.is_common and asked.cursor is None:
            self._known[name] = asked, scope.get("route")
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    async def _kept(self, asked: Question) -> bytes | None:
        retrieval: Retrieval = self._state.retrieval
        with suppress(SemcoreError):  # which the application will meet, too
            return await retrieval.kept(asked)
        return None

    def _response(self, scope: Scope, headers: dict[bytes, bytes], answer: bytes) -> Response:
        try:
            key = self._state.keyring.check(sent_key(headers), "search")
        except SemcoreError as error:
            return failed(error)
        scope.setdefault("state", {})["key"] = key  # for the logs, as is the route
        return Response(answer, media_type="application/json")


async def _body(receive: Receive) -> bytes | None:
    """Whole; None if the client goes before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Receives the body once more, then whatever follows."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received
