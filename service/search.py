"""One search: query → prompt → beams → candidates → verification → ranked items."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from semcore.calibration import Calibration
from semcore.filter import Filter
from semcore.identifier import Identifier
from semcore.item import Item
from semcore.layers import Layers, Positions
from semcore.prompt import Direction, identifier_prompt, target_kind
from service.answer import (
    IdentifierAnswer,
    ItemAnswer,
    RankedItem,
    SearchAnswer,
    SpanAnswer,
    TraceAnswer,
    Verify,
)
from service.engine import Engine, Found, Picture
from service.gsv import Verdict, verify
from service.snapshot import Side, Snapshot
from service.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class SearchParameters:
    top_k: int
    beam_width: int
    verify: Verify
    constrained: bool
    wanted: Filter | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    item: Item
    logprob: float


class Searcher:
    """Runs searches on one engine, a bounded number at a time."""

    def __init__(self, engine: Engine, verified: int, concurrent: int) -> None:
        self._engine = engine
        self._verified = verified
        self._turns = asyncio.Semaphore(concurrent)

    async def search(
        self,
        snapshot: Snapshot,
        direction: Direction,
        query: str | Picture,
        parameters: SearchParameters,
        *,
        profile: bool = False,
        trace: Sequence[str] = (),
    ) -> SearchAnswer:
        """Search what can be found in ``snapshot``.

        Args:
            profile: say of every part how long it took.
            trace: ids of items to follow through the beams; one that cannot be found is left out.

        Raises :class:`semcore.errors.EngineError` if the engine fails.
        """
        watch = Stopwatch()
        with watch.span("filter"):
            side = (
                snapshot.side(target_kind(direction))
                if parameters.wanted is None
                else (
                    await asyncio.to_thread(
                        snapshot.side, target_kind(direction), parameters.wanted
                    )
                )
            )
        if side is None:
            return SearchAnswer(items=[], index_version=snapshot.version, timings={"total": 0.0})
        with watch.span("queue"):
            await self._turns.acquire()
        try:
            found = await self._find(watch, direction, query, side, parameters, bool(trace))
            with watch.span("items"):
                most = max(parameters.top_k, self._verified)
                candidates = _candidates(snapshot, side, found, most)
            verdicts = None
            top = candidates[: self._verified]
            calibration = snapshot.calibration.get(direction, Calibration())
            if parameters.verify == "always" or (
                parameters.verify == "auto" and not _leads(top, calibration.margin)
            ):
                with watch.span("verify"):
                    verdicts = await verify(
                        self._engine,
                        snapshot,
                        query,
                        [candidate.item for candidate in top],
                        [candidate.logprob for candidate in top],
                        calibration,
                        watch,
                    )
        finally:
            self._turns.release()
        with watch.span("rank"):
            items = _ranked(candidates, verdicts or [])[: parameters.top_k]
        stages = ("filter", "queue", "tokenise", "beams", "items", "verify", "rank")
        return SearchAnswer(
            items=items,
            index_version=snapshot.version,
            verified=verdicts is not None,
            illegal=sum(not beam.leaves for beam in found.beams),
            traces=[
                trace_answer(item, map(self._engine.spell, item.identifiers), side.layers, found)
                for item in filter(None, map(snapshot.get, trace))
                if item.kind == target_kind(direction)
            ],
            timings={
                **{stage: watch.milliseconds(stage) for stage in stages},
                "total": 1000 * watch.elapsed,
            },
            spans=[
                SpanAnswer(path=span.path, start=1000 * span.start, length=1000 * span.seconds)
                for span in watch.spans
                if profile
            ],
        )

    async def _find(
        self,
        watch: Stopwatch,
        direction: Direction,
        query: str | Picture,
        side: Side,
        parameters: SearchParameters,
        traced: bool,
    ) -> Found:
        """The beams, and spans of each of their steps."""
        text = query if isinstance(query, str) else ""
        pictures = () if isinstance(query, str) else (query,)
        with watch.span("tokenise"):
            prompt = self._engine.prompt(identifier_prompt(direction, text), pictures)
        with watch.span("beams") as start:
            found = await self._engine.find(
                prompt,
                side,
                parameters.beam_width,
                constrained=parameters.constrained,
                traced=traced,
            )
        # What of the time was not the engine's was the way there and back.
        inside = found.queued + sum(step.seconds for step in found.steps)
        at = start + max(0.0, watch.elapsed - start - inside) / 2
        watch.add("beams/engine queue", at, found.queued)
        at += found.queued
        for number, step in enumerate(found.steps, start=1):
            path = "beams/prefill" if number == 1 else f"beams/step {number}"
            watch.add(path, at, step.seconds)
            at += step.seconds
            watch.add(f"{path}/masks", at - step.merge - step.masks, step.masks)
            watch.add(f"{path}/merge", at - step.merge, step.merge)
        return found


def item_answer(item: Item) -> ItemAnswer:
    """An item as it is shown over HTTP."""
    identifier = Identifier.parse(item.identifier)
    return ItemAnswer(
        id=item.id,
        kind=item.kind,
        identifier=IdentifierAnswer(
            global_id=identifier.global_id,
            keywords=list(identifier.lexical_id),
            text=identifier.text,
        ),
        image=f"/items/{quote(item.id, safe='')}/image" if item.kind == "image" else None,
        text=item.caption if item.kind == "text" else None,
        metadata=dict(item.metadata),
    )


def trace_answer(
    item: Item, spelled: Iterable[Sequence[int]], layers: Layers, found: Found
) -> TraceAnswer:
    """Where the beams lost an item whose identifiers are spelled with ``spelled``, each as tokens;
    of several the one that was lost last counts.

    Of a search without constraint, whose beams have no place in the layers, only whether it was
    found is known: what was not counts as lost with the first step.
    """
    steps = [(_lost_at(tokens, layers, found), len(tokens)) for tokens in spelled]
    lost_at, length = max(steps, key=lambda step: math.inf if step[0] is None else step[0])
    return TraceAnswer(id=item.id, identifier=item.identifier, steps=length, lost_at=lost_at)


def _lost_at(tokens: Sequence[int], layers: Layers, found: Found) -> int | None:
    spelled = layers.follow(tokens)
    if spelled is not None and any(beam.leaves == spelled[1] for beam in found.beams):
        return None
    positions: Positions = layers.root
    for step, (token, beams) in enumerate(zip(tokens, found.trail, strict=False), start=1):
        following = layers.step(positions, token)
        if following is None or following[0] not in beams:
            return step
        positions = following[0]
    return len(tokens)


def _candidates(snapshot: Snapshot, side: Side, found: Found, most: int) -> list[Candidate]:
    """The first items; those that share an identifier share its score, in order of id. An item
    with several identifiers has the score of the likeliest."""
    scores: dict[int, float] = {}
    numbered = (
        (number, beam.logprob)
        for beam in found.beams
        for number in side.layers.items_of(beam.leaves)
    )
    for number, logprob in numbered:
        scores.setdefault(number, logprob)
        if len(scores) == most:
            break
    first = list(scores.items())
    items = snapshot.items([number for number, _ in first])
    return [Candidate(item, logprob) for item, (_, logprob) in zip(items, first, strict=True)]


def _leads(candidates: list[Candidate], margin: float | None) -> bool:
    """Whether the first leads so far that verification would leave it in its place."""
    if margin is None or len(candidates) < 2:
        return False
    return candidates[0].logprob - candidates[1].logprob >= margin


def _ranked(candidates: list[Candidate], verdicts: list[Verdict]) -> list[RankedItem]:
    """The verified candidates by probability, then the others as the beams left them."""
    order = sorted(range(len(verdicts)), key=lambda place: -verdicts[place].probability)
    order += range(len(verdicts), len(candidates))
    return [
        RankedItem(
            **item_answer(candidates[place].item).model_dump(),
            rank=rank,
            logprob=candidates[place].logprob,
            beam_rank=place + 1,
            verification=verdicts[place].probability if place < len(verdicts) else None,
            odds=verdicts[place].odds if place < len(verdicts) else None,
        )
        for rank, place in enumerate(order, start=1)
    ]
