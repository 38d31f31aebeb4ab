"""``semcore similar``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import NothingFoundError
from cli.options import (
    DEFAULT_URL,
    AsJson,
    Descending,
    DiversityValue,
    FacetFields,
    FoldDuplicates,
    GroupBy,
    GroupSize,
    Key,
    KindValue,
    Only,
    Pictures,
    SortField,
    TopK,
    Url,
    metadata_options,
    ranking_options,
)


def similar(
    query: Annotated[
        str,
        typer.Argument(metavar="ITEM|PICTURE", help="An item's id, or the path of a picture."),
    ],
    url: Url = DEFAULT_URL,
    key: Key = None,
    top_k: TopK = None,
    kind: Annotated[
        KindValue | None,
        typer.Option(help="What is wanted; default: the item's kind, images for a picture."),
    ] = None,
    only: Only = None,
    diversity: DiversityValue = 0.0,
    fold_duplicates: FoldDuplicates = False,
    group_by: GroupBy = None,
    group_size: GroupSize = None,
    sort: SortField = None,
    descending: Descending = False,
    facet: FacetFields = None,
    pictures: Pictures = None,
    as_json: AsJson = False,
) -> None:
    """Show what is like an item of a running service, or like a picture, by the guide's vectors."""
    from rich.console import Console

    from cli.answer import show
    from cli.connection import Connection

    options = ranking_options(top_k, only, diversity, fold_duplicates)
    options |= metadata_options(group_by, group_size, sort, descending, facet)
    if kind is not None:
        options["kind"] = kind
    with Connection(url, key) as service:
        with Console(stderr=True).status("searching"):
            answer = service.alike(query, options)
        show(service, answer, pictures, as_json=as_json)
    if not answer["items"]:
        raise NothingFoundError("nothing was found; let the filter pass more, or ask for --kind")
