"""``semcore search``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cli.exit_codes import NothingFoundError
from cli.options import DEFAULT_URL, AsJson, GuideValue, Key, Pictures, Url, Verify


def search(
    query: Annotated[str, typer.Argument(help="A text, or the path of a picture.")],
    url: Url = DEFAULT_URL,
    key: Key = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Items wanted; default: the service's.")
    ] = None,
    beam_width: Annotated[int | None, typer.Option(min=1, help="Beams.")] = None,
    verify: Verify = "auto",
    guide: Annotated[
        GuideValue,
        typer.Option(help="Rank with the guide as evidence (auto), without it, or by it only."),
    ] = "auto",
    only: Annotated[
        str | None,
        typer.Option(
            "--filter", metavar="JSON", help='Hold it to \'{"field": "year", "gte": 1980}\', say.'
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell how the first identifier was spelled.")
    ] = False,
    pictures: Pictures = None,
    as_json: AsJson = False,
) -> None:
    """Search a running service by a text or by a picture."""
    from rich.console import Console

    from cli.answer import print_items, print_path
    from cli.connection import Connection
    from cli.picture import console_for, gallery, painter

    options: dict[str, Any] = {"verify": verify, "explain": explain, "guide": guide}
    if top_k is not None:
        options["top_k"] = top_k
    if beam_width is not None:
        options["beam_width"] = beam_width
    if only is not None:
        options["filter"] = _read(only)
    with Connection(url, key) as service:
        with Console(stderr=True).status("searching"):
            answer = service.ask(query, options)
        items = answer["items"]
        if as_json:
            typer.echo(json.dumps(answer, ensure_ascii=False))
        elif items:
            console = console_for(pictures)
            print_items(answer, console)
            if (draw := painter(console, pictures)) is not None:
                console.print(gallery(service, items, draw))
            if explain:
                print_path(items[0], console)
    if not items:
        mend = "let the filter pass more" if only is not None else "ask with a larger --beam-width"
        raise NothingFoundError(f"nothing was found; {mend}")


def _read(condition: str) -> Any:
    try:
        return json.loads(condition)
    except ValueError as error:
        said = f"this is no JSON: {error}"
        raise typer.BadParameter(said, param_hint="--filter") from error
