"""What routes depend on: the running service, and a key for what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

from service.http.api_keys import Keyring, Scope
from service.retrieval import Retrieval

_header = APIKeyHeader(name="X-API-Key", auto_error=False)
_bearer = HTTPBearer(auto_error=False)


def _retrieval(request: Request) -> Retrieval:
    retrieval: Retrieval = request.app.state.retrieval
    return retrieval


Serving = Annotated[Retrieval, Depends(_retrieval)]
"""The service behind the routes."""


def admit(request: HTTPConnection, scope: Scope, cost: int = 1) -> None:
    """Check the key that a request sends, once, and note its name for the logs.

    Args:
        cost: what the request counts against the key's rate; 0 where :func:`count` is to say that.

    Raises what :meth:`service.http.api_keys.Keyring.check` raises.
    """
    if getattr(request.state, "key", None) is None:
        request.state.key = _keyring(request).check(_sent(request), scope, cost)


def count(request: HTTPConnection, cost: int) -> None:
    """Count what an admitted request costs.

    Raises what :meth:`service.http.api_keys.Keyring.count` raises.
    """
    _keyring(request).count(request.state.key, cost)


def require(scope: Scope) -> Callable[..., None]:
    """A dependency that lets those pass who have a key for ``scope``.

    It raises what :meth:`service.http.api_keys.Keyring.check` raises.
    """

    def check(
        request: Request,
        _key: Annotated[str | None, Depends(_header)] = None,
        _token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
        _request_id: Annotated[
            str | None,
            Header(alias="X-Request-ID", description="names the request in logs and answer"),
        ] = None,
    ) -> None:
        admit(request, scope)

    return check


def _keyring(request: HTTPConnection) -> Keyring:
    keyring: Keyring = request.app.state.keyring
    return keyring


def _sent(request: HTTPConnection) -> str | None:
    header = request.headers.get("x-api-key")
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    return header or (token if scheme.lower() == "bearer" else None)
