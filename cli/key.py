"""``semcore key``."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Annotated

import typer

from semcore.errors import SemcoreError


def key(
    name: Annotated[str, typer.Argument(help="Name of the key, for the logs.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="search or admin; repeatable. Default: search.")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(min=1, help="Most requests a minute; no limit if left out.")
    ] = None,
) -> None:
    """Make an API key: the key itself, and what the file of SEMCORE_KEYS holds of it."""
    scopes = scope or ["search"]
    if strange := set(scopes) - {"search", "admin"}:
        raise SemcoreError(f"{', '.join(sorted(strange))}: no scope; there are search and admin")
    secret = secrets.token_urlsafe(32)
    entry = {
        "name": name,
        "sha256": hashlib.sha256(secret.encode()).hexdigest(),
        "scopes": scopes,
        "per_minute": per_minute,
    }
    typer.echo(f"key, shown only now: {secret}")
    typer.echo(f"entry of the file:   {json.dumps(entry)}")
