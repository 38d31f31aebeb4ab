"""An item, and a place in the tree of identifiers, as they are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree


def print_item(told: Mapping[str, Any], console: Console) -> None:
    """An item with its identifier and metadata, and those that share its identifier.

    Args:
        told: ``item``, ``sharing`` and how many ``more_sharing`` there are.
    """
    item, sharing, more = told["item"], told["sharing"], told["more_sharing"]
    fields = {
        item["kind"]: item["id"],
        "identifier": item["identifier"]["text"],
        "text": item["text"],
        "picture": item["image"],
        **{name: json.dumps(value) for name, value in item["metadata"].items()},
    }
    table = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        if value is not None:
            table.add_row(Text(name, "bold"), Text(value))
    console.print(table)
    if sharing:
        tree = Tree(f"share this identifier: {len(sharing) + more} more")
        _add_lines(tree, sharing, more)
        console.print(tree)
    else:
        console.print("no other item has this identifier")


def print_place(place: Mapping[str, Any], console: Console) -> None:
    """What follows a beginning: all that is below where the items are told, else its branches."""
    kind, count, items = place["kind"], place["count"], place["items"]
    parts = place["identifier"].split()
    told = f"{count} {kind}{'' if count == 1 else 's'}"
    tree = Tree(Text.assemble((place["identifier"] or "all", "bold"), f"  {told}"))
    if not place["branches"]:
        _add_lines(tree, items, count - len(items))
    elif count <= len(items):
        _grow(tree, items, len(parts))
    else:
        for branch in place["branches"]:
            name, words = branch["identifier"].split()[-1], " ".join(branch["words"])
            label = Text.assemble((name, "bold"), f"  {branch['items']}  ", (words, "dim"))
            label.rstrip()
            tree.add(label)
        _add_more(tree, place["more_branches"])
    console.print(tree)


def _grow(tree: Tree, items: Sequence[Mapping[str, Any]], depth: int) -> None:
    """Add the items below a place, by the parts of their identifiers from ``depth`` on; parts that
    all have in common stand in one line."""
    below: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        parts = _parts(item)
        if len(parts) == depth:
            tree.add(_line(item))
        else:
            below.setdefault(parts[depth], []).append(item)
    for some in sorted(below.values(), key=len, reverse=True):
        abreast = zip(*map(_parts, some), strict=False)
        common = len(list(takewhile(lambda parts: len(set(parts)) == 1, abreast)))
        name = (" ".join(_parts(some[0])[depth:common]), "bold")
        if len(some) == 1:
            tree.add(Text.assemble(name, "  ", _line(some[0])))
        else:
            _grow(tree.add(Text.assemble(name, f"  {len(some)}")), some, common)


def _parts(item: Mapping[str, Any]) -> list[str]:
    parts: list[str] = item["identifier"]["text"].split()
    return parts


def _line(item: Mapping[str, Any]) -> Text:
    return Text(f"{item['id']}  {item['text'] or ''}".strip())


def _add_lines(tree: Tree, items: Sequence[Mapping[str, Any]], more: int) -> None:
    for item in items:
        tree.add(_line(item))
    _add_more(tree, more)


def _add_more(tree: Tree, more: int) -> None:
    if more > 0:
        tree.add(Text(f"and {more} more", "dim"))
