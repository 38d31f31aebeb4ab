"""Measures a running service on the held-out queries of its bundle, over HTTP."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from offline.metrics import Estimate, recall_table
from offline.progress import progress
from semcore.bundle import read_manifest
from semcore.errors import CorpusError, SemcoreError
from semcore.item import Item, ItemStore
from semcore.prompt import DIRECTIONS, Direction

_CONCURRENT = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``illegal`` is the share of spelled identifiers that do not exist."""

    direction: Direction
    system: str
    queries: int
    recall: dict[str, Estimate]
    illegal: float


@dataclass(slots=True)
class _Ranks:
    verified: list[int | None] = field(default_factory=list)
    beam: list[int | None] = field(default_factory=list)
    illegal: int = 0
    beams: int = 0


async def evaluate(
    url: str,
    bundle: Path,
    *,
    split: str = "test",
    limit: int = 300,
    beam_width: int = 20,
    seed: int = 0,
) -> list[Row]:
    """Search with up to ``limit`` queries of each direction, and again without the constraint.

    Text queries are captions that are no source of an identifier; picture queries are the
    pictures of the split. The row without verification ranks the same answers by the beam alone.

    Raises:
        CorpusError: the split has no such queries.
        SemcoreError: the service answers with an error.
    """
    manifest = read_manifest(bundle)
    store = ItemStore(bundle / "items.sqlite", manifest.settings.gallery)
    root = Path(manifest.corpus.image_root)
    rows: list[Row] = []
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        for direction in DIRECTIONS:
            queries = _queries(store, split, direction, limit, seed)
            if not queries:
                raise CorpusError(f"{bundle} has no {direction} queries in the split {split!r}")
            for constrained in (True, False):
                options = {
                    "beam_width": beam_width,
                    "constrained": constrained,
                    "top_k": beam_width,
                }
                ranks = await _ranks(client, direction, queries, root, options)
                illegal = ranks.illegal / max(1, ranks.beams)
                if constrained:
                    systems = {"full": ranks.verified, "without GSV": ranks.beam}
                else:
                    systems = {"without constraint": ranks.verified}
                rows += [
                    Row(direction, name, len(queries), recall_table(values), illegal)
                    for name, values in systems.items()
                ]
    store.close()
    return rows


def markdown_table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, in per cent with 95 % intervals."""
    names = list(rows[0].recall)
    lines = [
        f"| direction | system | queries | {' | '.join(names)} | illegal |",
        "|---|---|---" + "|---" * len(names) + "|---|",
    ]
    for row in rows:
        values = " | ".join(str(row.recall[name]) for name in names)
        illegal = f"{100 * row.illegal:.1f}"
        lines.append(f"| {row.direction} | {row.system} | {row.queries} | {values} | {illegal} |")
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=2)


def _queries(
    store: ItemStore, split: str, direction: Direction, limit: int, seed: int
) -> list[Item]:
    if direction == "text-to-image":
        pool = [item for item in store.of_split(split, "text") if item.held_out]
    else:
        pool = list(store.of_split(split, "image"))
    return random.Random(seed).sample(pool, min(limit, len(pool)))


async def _ranks(
    client: httpx.AsyncClient,
    direction: Direction,
    queries: Sequence[Item],
    root: Path,
    options: dict[str, Any],
) -> _Ranks:
    turns = asyncio.Semaphore(_CONCURRENT)

    async def ask(query: Item) -> tuple[Item, dict[str, Any]]:
        async with turns:
            return query, await _ask(client, direction, query, root, options)

    ranks = _Ranks()
    title = f"{direction}{'' if options['constrained'] else ' without constraint'}"
    tasks = [asyncio.create_task(ask(query)) for query in queries]
    for task in progress(asyncio.as_completed(tasks), title, total=len(tasks)):
        query, answer = await task
        right = [item for item in answer["items"] if _pair(item["id"]) == query.pair]
        ranks.verified.append(min((item["rank"] for item in right), default=None))
        ranks.beam.append(min((item["beam_rank"] for item in right), default=None))
        ranks.illegal += answer["illegal"]
        ranks.beams += options["beam_width"]
    return ranks


def _pair(item_id: str) -> str:
    return item_id.rsplit("#", 1)[0]


async def _ask(
    client: httpx.AsyncClient,
    direction: Direction,
    query: Item,
    root: Path,
    options: dict[str, Any],
) -> dict[str, Any]:
    path = f"/search/{direction}"
    if direction == "text-to-image":
        response = await client.post(path, json={"query": query.caption, **options})
    else:
        content = (root / query.image).read_bytes()
        files = {"image": (query.image, content)}
        fields = {name: json.dumps(value) for name, value in options.items()}
        response = await client.post(path, data=fields, files=files)
    if response.status_code != httpx.codes.OK:
        raise SemcoreError(f"the service answered {response.status_code}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
