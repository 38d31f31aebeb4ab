"""``semcore serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from semcore.errors import SemcoreError


def serve(
    bundle: Annotated[
        Path | None, typer.Argument(help="Index bundle; default: SEMCORE_BUNDLE.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address; default: SEMCORE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default: SEMCORE_PORT.")] = None,
) -> None:
    """Serve a trained bundle over HTTP. All settings are environment variables; see README."""
    from pydantic import ValidationError

    from semcore.bundle import check_bundle
    from service.app import create_app
    from service.server import run
    from service.settings import Settings

    given: dict[str, Any] = {"bundle": bundle, "host": host, "port": port}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'_'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise SemcoreError(f"settings cannot be read ({wrong}); see 'semcore doctor'") from error
    check_bundle(settings.bundle)
    typer.echo(f"serving {settings.bundle} at http://{settings.host}:{settings.port}")
    run(create_app(settings), settings)
