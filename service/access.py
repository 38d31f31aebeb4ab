"""What routes depend on: the running service, and a key for what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from service.keys import Keyring, Scope
from service.retrieval import Retrieval

_header = APIKeyHeader(name="X-API-Key", auto_error=False)
_bearer = HTTPBearer(auto_error=False)


def _retrieval(request: Request) -> Retrieval:
    retrieval: Retrieval = request.app.state.retrieval
    return retrieval


Serving = Annotated[Retrieval, Depends(_retrieval)]
"""The service behind the routes."""


def admit(request: HTTPConnection, header: str | None, bearer: str | None, scope: Scope) -> None:
    """Check the key that a request sends, once, and note its name for the logs.

    Raises what :meth:`service.keys.Keyring.check` raises.
    """
    if getattr(request.state, "key", None) is None:
        keyring: Keyring = request.app.state.keyring
        request.state.key = keyring.check(header or bearer, scope)


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
        admit(request, header, bearer.credentials if bearer is not None else None, scope)

    return check
