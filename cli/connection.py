"""The service as commands ask it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from semcore.client import Options, Query, SemcoreClient, ServiceError, SimilarOptions

_TIMEOUT = 120.0  # seconds


class Connection(SemcoreClient):
    """A client that says at once where no service is, and waits where one is full or starting.

    Each method raises :class:`ServiceError` where the service says no, or nothing answers.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        super().__init__(url, key, timeout=_TIMEOUT)
        self._url = url

    def __enter__(self) -> Self:
        try:
            ailment = _ailment(self._http.get("/healthz"))
        except httpx.TransportError as error:
            ailment = str(error)
        if ailment is not None:
            raise ServiceError(f"no service answers at {self._url} ({ailment})", 0)
        return self

    def ask(self, query: Query, options: Mapping[str, Any]) -> dict[str, Any]:
        """One search; a ``query`` that is a string is a text or the path of an existing picture."""
        picture = _picture(query) if isinstance(query, str) else query
        answer = self.search(picture or query, **cast(Options, options))
        return cast(dict[str, Any], answer)

    def alike(self, query: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Items like one; ``query`` is its id or the path of an existing picture."""
        answer = self.similar(_picture(query) or query, **cast(SimilarOptions, options))
        return cast(dict[str, Any], answer)

    def item(self, item_id: str) -> dict[str, Any] | None:
        """An item with its identifier; None if there is none of that id."""
        try:
            answer = self._ask("GET", f"/items/{quote(item_id, safe='')}")
        except ServiceError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise
        found: dict[str, Any] = answer.json()
        return found

    def place(self, kind: str, beginning: str, branches: int, items: int) -> dict[str, Any]:
        """A place in the tree of identifiers, with so many branches and items at most."""
        asked = httpx.QueryParams(
            {"kind": kind, "beginning": beginning, "branches": branches, "items": items}
        )
        found: dict[str, Any] = self._ask("GET", f"/identifiers?{asked}").json()
        return found

    def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            return super()._ask(method, path, body)
        except ServiceError as error:
            if error.status == httpx.codes.UNAUTHORIZED:
                said = f"{error}: name it with --key or SEMCORE_KEY"
                raise ServiceError(said, error.status) from error
            raise


def _ailment(health: httpx.Response) -> str | None:
    """Why what answers is of no use; None if it is."""
    try:
        told = health.json()
    except ValueError:
        told = None
    match told:
        case {"status": "alive"}:
            return None
        case {"error": str(said)}:
            return said
    return f"/healthz answered {health.status_code}"


def _picture(query: str) -> Path | None:
    try:
        path = Path(query)
        return path if path.is_file() else None
    except OSError:  # longer than a path may be
        return None
