"""``semcore serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.extras import require_engine
from semcore.errors import BundleError, SemcoreError


def serve(
    bundle: Annotated[
        Path | None, typer.Argument(help="Index bundle; default: SEMCORE_BUNDLE.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address; default: SEMCORE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default: SEMCORE_PORT.")] = None,
) -> None:
    """Serve a bundle over HTTP; one that was not trained yet by its guide alone. Environment
    variables set it up; see docs/settings.md."""
    from cli.configuration import read_settings
    from semcore.bundle.bundle import check_bundle
    from semcore.journal.journal import Journal
    from service.app import create_app
    from service.server import run

    settings = read_settings(bundle=bundle, host=host, port=port)
    manifest = check_bundle(settings.bundle)
    if manifest.model is not None:
        require_engine("serve")
    elif manifest.guide is None:
        raise BundleError(
            f"{settings.bundle} has neither a model nor a guide; run 'semcore train' on it"
        )
    Journal(settings.journal_folder).close()  # raises if it cannot be read
    address = f"http://{settings.host}:{settings.port}"
    by = "" if manifest.model is not None else ", by its guide alone: it has no model yet"
    typer.echo(f"serving {settings.bundle} at {address}{by}")
    try:
        run(create_app(settings), settings)
    except SystemExit as error:  # uvicorn's, with a code that means something else here
        raise SemcoreError(
            f"the service cannot start at {address}; the log above says why, and 'semcore doctor' "
            "what mends it"
        ) from error
