"""``semcore profile``: where a search spends its time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT_URL, Key, Served, Url, Verify
from semcore.errors import SemcoreError

if TYPE_CHECKING:
    from cli.connection import Connection
    from semcore.client import Query
    from semcore.kind import Kind

_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a search, in milliseconds, medians over the searches that have it."""

    path: str
    start: float
    length: float

    @property
    def depth(self) -> int:
        return self.path.count("/")

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def profile(
    bundle: Served,
    url: Url = DEFAULT_URL,
    key: Key = None,
    by_picture: Annotated[bool, typer.Option(help="Search by pictures, not texts.")] = False,
    searches: Annotated[int, typer.Option(min=1, help="Searches, one after the other.")] = 20,
    beam_width: Annotated[int | None, typer.Option(min=1, help="Beams.")] = None,
    verify: Verify = "always",
    plot: Annotated[Path | None, typer.Option(help="Picture of the same to write.")] = None,
) -> None:
    """Print where searches of a running service spend their time, as a table and a plot."""
    from cli.connection import Connection

    if plot is not None:
        import matplotlib  # noqa: F401  # else its absence shows after the searches

    options: dict[str, Any] = {"verify": verify, "profile": True}
    if beam_width is not None:
        options["beam_width"] = beam_width
    queries = _queries(bundle, by_picture, searches)
    with Connection(url, key) as service:
        parts = median_parts([_measured(service, query, options) for query in queries])
    _print(parts)
    if plot is not None:
        draw(parts, plot)
        typer.echo(f"drawn in {plot}")


def median_parts(searches: Sequence[Mapping[str, tuple[float, float]]]) -> list[Part]:
    """The parts of all searches, each under the one that it belongs to, in order of start.

    Args:
        searches: for each search the start and length of each part by its path.
    """
    paths = {path for search in searches for path in search}
    parts = []
    for path in paths:
        found = [search[path] for search in searches if path in search]
        start, length = (statistics.median(values) for values in zip(*found, strict=True))
        parts.append(Part(path, start, length))
    starts = {part.path: part.start for part in parts}

    def place(part: Part) -> list[tuple[float, str]]:
        steps = part.path.split("/")
        above = ["/".join(steps[: count + 1]) for count in range(len(steps))]
        return [(starts.get(path, 0.0), path) for path in above]

    return sorted(parts, key=place)


def draw(parts: Sequence[Part], out: Path) -> None:
    """A flame-style picture: time runs to the right, what is part of something lies below it."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    depth = 1 + max(part.depth for part in parts)
    total = max(part.start + part.length for part in parts)
    figure, axis = plt.subplots(figsize=(12, 1.2 + 0.7 * depth), layout="constrained")
    narrow = {}
    for part in parts:
        colour = plt.get_cmap("Set3")(hash_of(part.name) % 12)
        bar = axis.barh(
            -part.depth, part.length, left=part.start, height=0.92, color=colour,
            edgecolor="white", linewidth=0.6,
        )  # fmt: skip
        if part.length > 0.045 * total:
            axis.text(
                part.start + part.length / 2, -part.depth, f"{part.name}\n{part.length:.1f}",
                ha="center", va="center", fontsize=7, clip_on=True,
            )  # fmt: skip
        else:
            narrow[part.name] = bar
    axis.legend(
        list(narrow.values()), list(narrow), loc="lower right", fontsize=7, ncols=len(narrow) or 1
    )
    axis.set_yticks([])
    axis.set_xlim(0, total)
    axis.set_xlabel("milliseconds, medians")
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def hash_of(name: str) -> int:
    """The same in every run; steps of the beams differ from their neighbours."""
    return sum(name.encode())


def _queries(bundle: Path, by_picture: bool, count: int) -> Iterator[Query]:
    """Captions, or pictures, from the bundle's test split if it has one."""
    from semcore.bundle.bundle import read_manifest
    from semcore.bundle.item import ItemStore
    from semcore.pictures.picture_source import fetched

    manifest = read_manifest(bundle)
    store = ItemStore(bundle / "items.sqlite", manifest.settings.gallery)
    kind: Kind = "image" if by_picture else "text"
    found = [item for split in ("test", "val", "train") for item in store.of_split(split, kind)]
    store.close()
    if not found:
        raise SemcoreError(f"{bundle} has no {kind}s to search with")
    for number in range(count):
        item = found[number % len(found)]
        yield fetched(manifest.corpus.picture_source(item)) if by_picture else item.caption


def _measured(
    service: Connection, query: Query, options: dict[str, Any]
) -> dict[str, tuple[float, float]]:
    """One search as its client sees it: HTTP around it, and the parts of which it tells."""
    began = time.perf_counter()
    answer = service.ask(query, options)
    whole = 1000 * (time.perf_counter() - began)
    inside = answer["timings"]["total"]
    there = (whole - inside) / 2
    parts = {"http": (0.0, whole), "http/search": (there, inside)}
    for span in answer["spans"]:
        parts[f"http/search/{span['path']}"] = (there + span["start"], span["length"])
    return parts


def _print(parts: Sequence[Part]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("part", "ms", "share", "")
    whole = parts[0].length
    for part in parts:
        share = part.length / whole
        table.add_row(
            f"{'  ' * part.depth}{part.name}",
            f"{part.length:.2f}",
            f"{100 * share:.1f} %",
            "█" * round(_WIDTH * share),
        )
    Console().print(table)
