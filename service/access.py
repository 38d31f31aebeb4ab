"""What routes depend on: the running service, and a key for what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from service.keys import Keyring, Scope
from service.retrieval import Retrieval

_header = APIKeyHeader(name="X-API-Key", auto_error=False)
_bearer = HTTPBearer(auto_error=False)


def _retrieval(request: Request) -> Retrieval:
    retrieval: Retrieval = request.app.state.retrieval
    return retrieval


Serving = Annotated[Retrieval, Depends(_retrieval)]
"""The service behind the routes."""


def sent_key(headers: Mapping[bytes, bytes]) -> str | None:
    """What a request without a route sends as its key, by its headers' names in lower case."""
    key = headers.get(b"x-api-key")
    if key is not None:
        return key.decode("latin-1")
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return token if token and scheme.lower() == "bearer" else None


def require(scope: Scope) -> Callable[..., None]:
    """A dependency that lets those pass who have a key for ``scope``.

    It raises what :meth:`service.keys.Keyring.check` raises.
    """

    def check(
        request: Request,
        header: Annotated[str | None, Depends(_header)] = None,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
        _request_id: Annotated[
            str | None,
            Header(alias="X-Request-ID", description="names the request in logs and answer"),
        ] = None,
    ) -> None:
        keyring: Keyring = request.app.state.keyring
        sent = header or (bearer.credentials if bearer is not None else None)
        request.state.key = keyring.check(sent, scope)

    return check
