"""A search's answer as it is shown: the ranked items, and how an identifier was spelled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.picture import console_for, gallery, painter
from semcore.client import SemcoreClient


def show(
    service: SemcoreClient, answer: Mapping[str, Any], pictures: bool | None, *, as_json: bool
) -> Console | None:
    """An answer as JSON, or as a table with the pictures of its items, on the console returned; of
    an empty one, nothing.

    Args:
        service: has the pictures.
        pictures: whether they are wanted; None: where a terminal shows colours.
    """
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return None
    if not answer["items"]:
        return None
    console = console_for(pictures)
    print_items(answer, console)
    if (counts := answer.get("facets")) is not None:
        print_facets(counts, console)
    if (draw := painter(console, pictures)) is not None:
        console.print(gallery(service, answer["items"], draw))
    return console


def print_items(answer: Mapping[str, Any], console: Console | None = None) -> None:
    """A table of the ranked items, and the timings."""
    columns = [
        "rank", "item", "identifier", "logprob", "cosine", "verified", "likely", "folded",
        "picture or text",
    ]  # fmt: skip
    if all(item["cosine"] is None for item in answer["items"]):
        columns.remove("cosine")
    if all(item["probability"] is None for item in answer["items"]):
        columns.remove("likely")
    if not any(item["duplicate_count"] for item in answer["items"]):
        columns.remove("folded")
    table = Table(*columns)
    for item in answer["items"]:
        cells: dict[str, str | Text] = {
            "rank": str(item["rank"]),
            "item": Text(item["id"]),
            "identifier": Text(item["identifier"]["text"]),
            "logprob": _number(item["logprob"]),
            "cosine": _number(item["cosine"]),
            "verified": _number(item["verification"]),
            "likely": _number(item["probability"]),
            "folded": Text(", ".join(item["duplicates"])),
            "picture or text": Text(item["image"] or item["text"]),
        }
        table.add_row(*(cells[name] for name in columns))
    console = console or Console()
    console.print(table)
    timings = ", ".join(f"{stage} {value:.0f} ms" for stage, value in answer["timings"].items())
    told = "from the cache" if answer["cached"] else timings
    by = ", by the guide alone" if answer["guide"] == "only" else ""
    console.print(f"index {answer['index_version']}{by}, {told}", highlight=False)


def print_facets(counts: Mapping[str, Any], console: Console) -> None:
    """A table a field: its commonest values, and how many items have them."""
    for facet in counts["fields"]:
        table = Table("value", "items", title=Text(facet["field"]))
        table.columns[1].justify = "right"
        for one in facet["values"]:
            table.add_row(Text(str(one["value"])), f"{one['count']:,}")
        console.print(table)
        more = facet["distinct"] - len(facet["values"])
        told = [f"{more:,} more values"] if more else []
        if facet["without"]:
            told.append(f"{facet['without']:,} of {counts['total']:,} items without a value")
        if facet["min"] is not None:
            told.append(f"from {facet['min']} to {facet['max']}")
        if told:
            console.print("; ".join(told), highlight=False)


def print_path(item: Mapping[str, Any], console: Console) -> None:
    """Token by token how an item's identifier was spelled, and the likeliest tokens beside it."""
    title = Text(f"how {item['identifier']['text']} was spelled")
    table = Table("token", "logprob", "so far", "likeliest others", title=title)
    so_far = 0.0
    for step in item["path"]:
        so_far += step["logprob"]
        others = ", ".join(
            f"{_shown(one)}\N{NO-BREAK SPACE}{one['logprob']:.2f}" for one in step["beaten"]
        )
        table.add_row(Text(_shown(step)), f"{step['logprob']:.2f}", f"{so_far:.2f}", Text(others))
    console.print(table)
    console.print(
        f"together {so_far:.2f}, a probability of {math.exp(so_far):.2g}", highlight=False
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _shown(token: Mapping[str, Any]) -> str:
    return token["text"].strip() or "(end)"
