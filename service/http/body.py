"""Bodies: read and checked beside the event loop, where they may take as long as they are large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Message, Receive

from service.errors import BodyTooLargeError, ClientGoneError, InvalidQueryError
from service.http.api_keys import Scope
from service.http.auth import admit, count
from service.schemas.answer import BatchQuery

_SHORT = 4_096  # bytes that are read sooner than another thread begins
_PARTS = 500_000
_DEEPEST = 32
_FIELDS = 200
_THREADS = 2

Content = TypeVar("Content")
Model = TypeVar("Model", bound=BaseModel)

_readers = ThreadPoolExecutor(_THREADS, "body")


async def aside(work: Callable[..., Content], *arguments: Any) -> Content:
    """What ``work`` makes of a large body, in one of the few threads for that."""
    return await asyncio.get_running_loop().run_in_executor(_readers, work, *arguments)


async def read_body(request: Request, read: Callable[[bytes], Content]) -> Content:
    """What ``read`` makes of the whole body; the body itself is not kept.

    Raises :class:`ClientGoneError` if the client goes before its end.
    """
    parts: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError("the client has gone")
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    if sum(map(len, parts)) <= _SHORT:
        return read(b"".join(parts))
    return await aside(lambda: read(b"".join(parts)))


def read_json(model: type[Model], content: bytes) -> Model:
    """What a body in JSON says.

    Raises:
        BodyTooLargeError: it has too many parts.
        InvalidQueryError: it is nested too deep, or an object has too many fields.
        RequestValidationError: it is no JSON, or not what the model says.
    """
    check_parts(content)
    try:
        said = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        fault = {"type": "json_invalid", "loc": (), "msg": str(error), "input": None}
        raise RequestValidationError([fault]) from error
    _check_shape(said)
    try:
        return model.model_validate(said)
    except ValidationError as error:
        told = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(told) from error


def check_parts(content: bytes) -> bytes:
    """The same body in JSON. Raises :class:`BodyTooLargeError` if it has too many parts to be
    parsed."""
    if sum(map(content.count, (b",", b"[", b"{"))) > _PARTS:
        raise BodyTooLargeError(f"the body has more than {_PARTS} parts; send less at a time")
    return content


def again(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read once more, then whatever follows."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received


def body_route(scope: Scope) -> type[APIRoute]:
    """A class of routes that read JSON by :func:`read_json`, and only for who has a key.

    A batch counts against the key's rate as often as it has searches.
    """

    class BodyRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()
            if self.body_field is None:
                return answer
            model: type[BaseModel] = self.body_field.field_info.annotation  # type: ignore[assignment]

            async def handler(request: Request) -> Response:
                admit(request, scope, cost=0)
                said = None
                try:
                    if is_json(request):
                        said = await read_body(request, partial(_said, model))
                        request = _Read(request, said)
                finally:
                    count(request, len(said.queries) if isinstance(said, BatchQuery) else 1)
                return await answer(request)

            return handler

    return BodyRoute


def is_json(request: Request) -> bool:
    """Whether the body is said to be JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    main, _, sub = kind.partition("/")
    return main == "application" and (sub == "json" or sub.endswith("+json"))


class _Read(Request):
    """A request whose body FastAPI finds read and checked."""

    def __init__(self, request: Request, said: BaseModel | None) -> None:
        super().__init__(request.scope, request.receive)
        self._body = b"" if said is None else b"{}"
        self._json = said


def _said(model: type[BaseModel], content: bytes) -> BaseModel | None:
    """None for an empty body, of which FastAPI says that it is missing."""
    return read_json(model, content) if content else None


def _check_shape(said: object) -> None:
    level = [said]
    for _ in range(_DEEPEST):
        if any(isinstance(one, dict) and len(one) > _FIELDS for one in level):
            raise InvalidQueryError(f"an object of the body has more than {_FIELDS} fields")
        level = [part for one in level for part in _parts(one) if isinstance(part, dict | list)]
        if not level:
            return
    raise InvalidQueryError(f"the body is nested deeper than {_DEEPEST}")


def _parts(said: object) -> Iterable[object]:
    if isinstance(said, dict):
        return said.values()
    return said if isinstance(said, list) else ()
