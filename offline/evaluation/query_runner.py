"""Questions to a running service: the queries of a split, asked over HTTP, and what was answered.

Where a log is given, each answer is written to it at once, and a run that was stopped asks only
what it does not hold.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from offline.progress import progress
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.client import Answer, AsyncSemcoreClient, FoundItem, Query, ServiceError
from semcore.errors import CorpusError, SemcoreError
from semcore.kind import DIRECTIONS, Direction, target_kind
from semcore.model.prompt import PROMPT_VERSION, excerpt
from semcore.pictures.picture_source import fetched, picture_source

Guide = Literal["none", "auto", "only"]
_CONCURRENT = 8
_MOST_ITEMS = 100  # that a service gives, unless told otherwise
_GUIDED = 50  # candidates that the guide adds
_TIMEOUT_MS = 600_000  # the service's own limit is for those who wait
PATIENCE = _TIMEOUT_MS / 1000
"""Seconds until an answer counts as lost."""
_REFUSED = (400, 413, 415, 422)
_TRACED = 20  # items that a search follows at most


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked.

    Attributes:
        limit: most queries; all if None.
        guide: what its cosine is good for, see :class:`service.schemas.answer.SearchOptions`.
    """

    direction: Direction
    split: str = "test"
    limit: int | None = 300
    beam_width: int = 20
    constrained: bool = True
    verified: bool = True
    commonness: bool = False
    describe: bool = False
    seed: int = 0
    guide: Guide = "none"

    @property
    def title(self) -> str:
        by = {"none": "", "auto": " with the guide", "only": " by the guide"}[self.guide]
        return f"{self.direction}{by}{'' if self.constrained else ' without constraint'}"


@dataclass(frozen=True, slots=True)
class Shown:
    """An item of an answer.

    Attributes:
        logprob: None of an item that the guide alone has found.
        odds, description: what verification found; None where it was not asked.
        commonness: its identifier's log-probability without the query, where that was asked for.
        right: it answers the query.
        cosine: the guide's; None without one.
    """

    id: str
    logprob: float | None
    odds: float | None
    commonness: float | None = None
    right: bool = False
    description: float | None = None
    cosine: float | None = None

    @property
    def is_judged(self) -> bool:
        return self.odds is not None or self.description is not None


@dataclass(frozen=True, slots=True)
class Answered:
    """What matters of an answer; ranks from 1, None where no right item was found.

    Attributes:
        query: id of the item that was the query.
        verified, beam: rank of the first right item, after and before verification.
        lead: by how much the score of the first candidate led before verification: in nats, of two
            towers in cosines.
        first_changed: verification has put another item in the first place.
        illegal: share of the spelled identifiers that do not exist.
        confidence: the probability, among the candidates, of the picture that the first item
            belongs to: any of its texts would do.
        lost_at: the step after which no beam led to a right item any more; None if one was found.
        items: all that were found, in order.
        pair: of the query, where it is known.
    """

    query: str
    verified: int | None
    beam: int | None
    lead: float
    first_changed: bool
    illegal: float
    confidence: float = 1.0
    lost_at: int | None = None
    items: list[Shown] = field(default_factory=list)
    pair: str = ""


async def ask(
    client: AsyncSemcoreClient,
    bundle: Path,
    questions: Questions,
    log: Path | None = None,
    image_root: str | Path | None = None,
) -> list[Answered]:
    """Ask all questions, eight at a time; the answers in the order of the queries.

    Text queries are captions that are no source of an identifier; picture queries are the
    pictures of the split.

    Args:
        image_root: folder of the pictures, or its URL, if not what the bundle says.

    Raises:
        CorpusError: the split has no such queries, or one that the service refuses.
        PictureError: a picture cannot be fetched from where it lies.
        ServiceError: the service answers with an error, or not at all.
        SemcoreError: it serves another index, one that has changed since the answers that are held,
            or lacks the time for whole answers.
    """
    manifest = read_manifest(bundle)
    store = ItemStore(bundle / "items.sqlite", manifest.settings.gallery)
    queries = _queries(store, questions)
    right = _right(store, questions)
    if not queries:
        store.close()
        raise CorpusError(
            f"{bundle} has no {questions.direction} queries in the split {questions.split!r}; a "
            "caption that a picture's identifier is made of is none"
        )
    root = image_root or manifest.corpus.image_root
    asked = json.dumps(asdict(questions) | {"limit": 0})
    key = f"{manifest.version} {PROMPT_VERSION} {asked}"
    known, indexes = ({}, set()) if log is None else _read(log, key)
    turns = asyncio.Semaphore(_CONCURRENT)

    async def one(query: Item) -> Answered:
        async with turns:
            mine = right.get(query.pair, [])
            try:
                answer = await _search(client, questions, query, root, mine)
            except ServiceError as error:
                if error.status not in _REFUSED:
                    raise
                raise CorpusError(
                    f"the service refuses to be asked {query.id} of the split {questions.split!r} "
                    f"with {questions.beam_width} beams: {error}"
                ) from error
            _check(answer, manifest.version)
            indexes.add(answer["index_version"])
            if len(indexes) > 1:
                raise SemcoreError(
                    f"items were added or deleted since the first answers ({', '.join(indexes)}); "
                    "ask all again: name another folder for the report"
                )
            answered = _answered(query, answer, questions.beam_width, mine, store)
            if log is not None:
                _append(log, key, answer["index_version"], answered)
            return answered

    tasks = [asyncio.create_task(one(query)) for query in queries if query.id not in known]
    try:
        for done in progress(asyncio.as_completed(tasks), questions.title, total=len(tasks)):
            answered = await done
            known[answered.query] = answered
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # none ends unheard
        store.close()
    return [replace(known[query.id], pair=query.pair) for query in queries]


def asked_directions(bundle: Path, split: str) -> Sequence[Direction]:
    """Those that a split has queries of; both where it has none at all, which asking will say."""
    found = [one for one in DIRECTIONS if chosen_queries(bundle, Questions(one, split, 1))]
    return found or DIRECTIONS


def chosen_queries(bundle: Path, questions: Questions) -> list[Item]:
    """The items that are asked, for systems that are no service."""
    store = ItemStore(bundle / "items.sqlite", (questions.split,))
    queries = _queries(store, questions)
    store.close()
    return queries


def is_guided(answered: Sequence[Answered]) -> bool:
    """Whether the guide told anything: one that reads texts only has nothing to say of a picture
    that asks."""
    return any(item.cosine is not None for one in answered for item in one.items)


def _queries(store: ItemStore, questions: Questions) -> list[Item]:
    if questions.direction == "text-to-image":
        pool = [item for item in store.of_split(questions.split, "text") if item.held_out]
    else:
        pool = list(store.of_split(questions.split, "image"))
    limit = len(pool) if questions.limit is None else min(questions.limit, len(pool))
    return random.Random(questions.seed).sample(pool, limit)


def _right(store: ItemStore, questions: Questions) -> dict[str, list[str]]:
    """For each pair the ids of the items that answer its queries."""
    right: dict[str, list[str]] = {}
    for item in store.of_split(questions.split, target_kind(questions.direction)):
        right.setdefault(item.pair, []).append(item.id)
    return right


def _read(log: Path, key: str) -> tuple[dict[str, Answered], set[str]]:
    """The answers that are held, by query, and of which versions of the index they are."""
    known: dict[str, Answered] = {}
    indexes: set[str] = set()
    if not log.exists():
        return known, indexes
    for line in log.read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # the line at which a run was stopped
            continue
        if row["key"] == key and "index" in row:
            items = [Shown(**item) for item in row["answer"].pop("items")]
            known[row["answer"]["query"]] = Answered(**row["answer"], items=items)
            indexes.add(row["index"])
    return known, indexes


def _append(log: Path, key: str, index: str, answered: Answered) -> None:
    row = {"key": key, "index": index, "answer": asdict(answered)}
    with log.open("a") as file:  # a line break first: the last line may be half of one
        file.write("\n" + json.dumps(row))


def _check(answer: Answer, version: str) -> None:
    served, _, _ = answer["index_version"].partition("+")  # the rest counts changes of items
    if served != version:
        raise SemcoreError(
            f"the service serves the index {served} and not {version}, which is asked about; "
            "reload it"
        )
    if answer["degraded"] is not None:
        raise SemcoreError(
            "the service has no time for whole answers; ask it while nobody else does"
        )


def _answered(
    query: Item, answer: Answer, beam_width: int, rights: Sequence[str], store: ItemStore
) -> Answered:
    items = answer["items"]
    right = [item for item in items if item["id"] in rights]
    before = sorted(items, key=lambda item: item["beam_rank"])
    steps = [trace["lost_at"] for trace in answer["traces"]]
    return Answered(
        query=query.id,
        verified=min((item["rank"] for item in right), default=None),
        beam=min((item["beam_rank"] for item in right), default=None),
        lead=before[0]["score"] - before[1]["score"] if len(before) > 1 else math.inf,
        first_changed=bool(items) and items[0]["beam_rank"] > 1,
        illegal=answer["illegal"] / beam_width,
        confidence=_confidence(items, store),
        lost_at=None if right or None in steps else max(steps, default=None),
        items=[
            Shown(
                item["id"],
                item["logprob"],
                item["odds"],
                item["commonness"],
                item["id"] in rights,
                item["description"],
                item["cosine"],
            )
            for item in items
        ],
    )


def _confidence(items: Sequence[FoundItem], store: ItemStore) -> float:
    """What verification says, or else the share among all that the beams found."""
    if not items:
        return 0.0
    if items[0]["verification"] is not None:
        shares = [item["verification"] or 0.0 for item in items]
    else:
        # What the guide alone has found has no log-probability, and its score in place of it.
        told = [item["score"] if item["logprob"] is None else item["logprob"] for item in items]
        weights = [math.exp(one - told[0]) for one in told]
        shares = [weight / sum(weights) for weight in weights]
    known = (store.get(item["id"]) for item in items)
    # An item that was added later is one by itself.
    pairs = [
        item["id"] if mine is None else mine.pair for item, mine in zip(items, known, strict=True)
    ]
    return min(1.0, sum(one for pair, one in zip(pairs, shares, strict=True) if pair == pairs[0]))


async def _search(
    client: AsyncSemcoreClient,
    questions: Questions,
    query: Item,
    root: str | Path,
    right: Sequence[str],
) -> Answer:
    most = questions.beam_width + (_GUIDED if questions.guide == "auto" else 0)
    content: Query
    if query.kind == "text":
        content = excerpt(query.caption)
    else:
        content = await asyncio.to_thread(fetched, picture_source(root, query.image))
    return await client.search(
        content,
        beam_width=questions.beam_width,
        top_k=min(_MOST_ITEMS, most),
        guide=questions.guide,
        verify="always" if questions.verified else "never",
        constrained=questions.constrained,
        commonness=questions.commonness,
        describe=questions.describe,
        timeout_ms=_TIMEOUT_MS,
        trace=right[:_TRACED],
    )
