"""``semcore inspect``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exit_codes import NothingFoundError
from cli.options import DEFAULT_URL, AsJson, Key, KindValue, Pictures, Url

if TYPE_CHECKING:
    from cli.connection import Connection

_BRANCHES = 30
_ITEMS = 24
_ALL_BRANCHES = 5000
_SHARING = 200


def inspect(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[ITEM|IDENTIFIER]",
            help="An item's id, an identifier, or the beginning of one, '<g17> boat' say; "
            "left out: all identifiers.",
        ),
    ] = "",
    url: Url = DEFAULT_URL,
    key: Key = None,
    kind: Annotated[
        KindValue | None,
        typer.Option(help="Whose identifiers; default: images', or texts' if no image's fits."),
    ] = None,
    pictures: Pictures = None,
    as_json: AsJson = False,
) -> None:
    """Show an item of a running service, or a place in the tree of its identifiers."""
    from cli.connection import Connection
    from cli.picture import console_for, gallery, painter
    from cli.place import print_item, print_place

    with Connection(url, key) as service:
        item = service.item(what) if what else None
        told = _place(service, what, kind) if item is None else _with_others(service, item)
        if as_json:
            typer.echo(json.dumps(told, ensure_ascii=False))
            return
        console = console_for(pictures)
        if item is None:
            print_place(told, console)
            return
        if (draw := painter(console, pictures)) is not None:
            console.print(gallery(service, [item], draw))
        print_item(told, console)


def _place(service: Connection, beginning: str, kind: KindValue | None) -> dict[str, Any]:
    kinds: tuple[KindValue, ...] = ("image", "text") if kind is None else (kind,)
    for one in kinds:
        found = service.place(one, beginning, _BRANCHES, _ITEMS)
        if found["count"]:
            return found
    raise NothingFoundError(
        f"there is no item {beginning!r}, and no identifier of {' or '.join(kinds)} items begins "
        "with these whole parts; 'semcore inspect' alone shows how they begin"
    )


def _with_others(service: Connection, item: dict[str, Any]) -> dict[str, Any]:
    """An item, the others that have its identifier, and how many more there are."""
    identifier = item["identifier"]["text"]
    place = service.place(item["kind"], identifier, _ALL_BRANCHES, _SHARING)
    same = [one for one in place["items"] if one["identifier"]["text"] == identifier]
    here = place["count"] - sum(branch["items"] for branch in place["branches"])
    others = [one for one in same if one["id"] != item["id"]]
    return {"item": item, "sharing": others, "more_sharing": max(0, here - len(same))}
