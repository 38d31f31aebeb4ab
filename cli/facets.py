"""``semcore facets``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.exit_codes import NothingFoundError
from cli.options import DEFAULT_URL, AsJson, Key, KindValue, Only, Url, read_filter


def facets(
    fields: Annotated[list[str], typer.Argument(metavar="FIELD...", help="Of the metadata.")],
    url: Url = DEFAULT_URL,
    key: Key = None,
    kind: Annotated[
        KindValue | None, typer.Option(help="Of the items that are counted; default: both.")
    ] = None,
    only: Only = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Values of a field, the commonest; default 20.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count the values of metadata fields over all items of a running service."""
    from rich.console import Console

    from cli.answer import print_facets
    from cli.connection import Connection
    from semcore.facets import FacetOptions

    options: FacetOptions = {}
    if kind is not None:
        options["kind"] = kind
    if only is not None:
        options["filter"] = read_filter(only)
    if limit is not None:
        options["limit"] = limit
    with Connection(url, key) as service:
        counts = service.facets(fields, **options)
    if as_json:
        typer.echo(json.dumps(counts, ensure_ascii=False))
    elif counts["total"]:
        print_facets(counts, Console())
    if not counts["total"]:
        raise NothingFoundError("there are no items to count; let the filter pass more")
