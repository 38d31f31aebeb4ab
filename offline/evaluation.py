"""Measures a running service on the held-out queries of its bundle, over HTTP."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from offline.metrics import Estimate, recall_table
from offline.progress import progress
from semcore.bundle import read_manifest, read_margins
from semcore.errors import CorpusError, SemcoreError
from semcore.item import Item, ItemStore
from semcore.prompt import DIRECTIONS, Direction

_CONCURRENT = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        verified: share of the searches in which the model judged the candidates.
        illegal: share of the spelled identifiers that do not exist.
    """

    direction: Direction
    system: str
    queries: int
    recall: dict[str, Estimate]
    verified: float
    illegal: float


@dataclass(frozen=True, slots=True)
class Answered:
    """What matters of an answer; ranks from 1, None where no right item was found.

    Attributes:
        verified, beam: rank of the first right item, after and before verification.
        lead: nats by which the first candidate led before verification.
        first_changed: verification has put another item in the first place.
        illegal: share of the spelled identifiers that do not exist.
    """

    verified: int | None
    beam: int | None
    lead: float
    first_changed: bool
    illegal: float


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
    pictures of the split. The rows without verification, and with it where the bundle's margins
    ask for it (``auto``), rank the same answers by what the beams found.

    Raises:
        CorpusError: the split has no such queries.
        SemcoreError: the service answers with an error.
    """
    margins = read_margins(bundle)
    rows: list[Row] = []
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        for direction in DIRECTIONS:
            queries = (client, bundle, direction, split, limit, beam_width, seed)
            answered = await answers_of(*queries)
            rows.append(_row(direction, "full", answered, math.inf))
            if direction in margins:
                rows.append(_row(direction, "auto", answered, margins[direction]))
            rows.append(_row(direction, "without GSV", answered, -math.inf))
            answered = await answers_of(*queries, constrained=False)
            rows.append(_row(direction, "without constraint", answered, math.inf))
    return rows


async def answers_of(
    client: httpx.AsyncClient,
    bundle: Path,
    direction: Direction,
    split: str,
    limit: int,
    beam_width: int,
    seed: int = 0,
    *,
    constrained: bool = True,
) -> list[Answered]:
    """Ask up to ``limit`` queries of a split, all verified. Raises as :func:`evaluate` does."""
    options = {
        "beam_width": beam_width, "top_k": beam_width, "verify": "always",
        "constrained": constrained,
    }  # fmt: skip
    manifest = read_manifest(bundle)
    store = ItemStore(bundle / "items.sqlite", manifest.settings.gallery)
    queries = _queries(store, split, direction, limit, seed)
    store.close()
    if not queries:
        raise CorpusError(f"{bundle} has no {direction} queries in the split {split!r}")
    root = Path(manifest.corpus.image_root)
    turns = asyncio.Semaphore(_CONCURRENT)

    async def ask(query: Item) -> Answered:
        async with turns:
            answer = await _ask(client, direction, query, root, options)
            return _answered(query, answer, beam_width)

    title = f"{direction}{'' if constrained else ' without constraint'}"
    tasks = [asyncio.create_task(ask(query)) for query in queries]
    done = progress(asyncio.as_completed(tasks), title, total=len(tasks))
    return [await task for task in done]


def markdown_table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, in per cent with 95 % intervals."""
    names = list(rows[0].recall)
    lines = [
        f"| direction | system | queries | {' | '.join(names)} | verified | illegal |",
        "|---|---|---" + "|---" * len(names) + "|---|---|",
    ]
    for row in rows:
        values = " | ".join(str(row.recall[name]) for name in names)
        shares = f"{100 * row.verified:.0f} | {100 * row.illegal:.1f}"
        lines.append(f"| {row.direction} | {row.system} | {row.queries} | {values} | {shares} |")
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


def _row(direction: Direction, system: str, answered: Sequence[Answered], margin: float) -> Row:
    """Of answers that are verified where the first candidate leads by less than ``margin``."""
    judged = [one.lead < margin for one in answered]
    ranks = [
        one.verified if by_model else one.beam
        for one, by_model in zip(answered, judged, strict=True)
    ]
    illegal = sum(one.illegal for one in answered) / len(answered)
    verified = sum(judged) / len(answered)
    return Row(direction, system, len(answered), recall_table(ranks), verified, illegal)


def _answered(query: Item, answer: dict[str, Any], beam_width: int) -> Answered:
    items = answer["items"]
    right = [item for item in items if _pair(item["id"]) == query.pair]
    before = sorted(items, key=lambda item: item["beam_rank"])
    return Answered(
        verified=min((item["rank"] for item in right), default=None),
        beam=min((item["beam_rank"] for item in right), default=None),
        lead=before[0]["logprob"] - before[1]["logprob"] if len(before) > 1 else math.inf,
        first_changed=bool(items) and items[0]["beam_rank"] > 1,
        illegal=answer["illegal"] / beam_width,
    )


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
        fields = {name: str(value).lower() for name, value in options.items()}
        response = await client.post(path, data=fields, files=files)
    if response.status_code != httpx.codes.OK:
        raise SemcoreError(f"the service answered {response.status_code}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
