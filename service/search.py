"""One search: query → prompt → beams → candidates → verification → ranked items."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from urllib.parse import quote

from semcore.calibration import Calibration
from semcore.filter import Filter
from semcore.identifier import Identifier
from semcore.item import Item, Kind
from semcore.layers import Layers, Positions
from semcore.prompt import Direction, identifier_prompt, target_kind
from service import metrics
from service.admission import Admission
from service.answer import (
    Degraded,
    IdentifierAnswer,
    ItemAnswer,
    RankedItem,
    SearchAnswer,
    SpanAnswer,
    TraceAnswer,
    Verify,
)
from service.deadline import Deadline, Pace, Plan
from service.engine import Engine, Found, Picture
from service.errors import DeadlineError
from service.gsv import Verdict, verify
from service.snapshot import Side, Snapshot
from service.stopwatch import Stopwatch
from service.tracing import record_spans


@dataclass(frozen=True, slots=True)
class SearchParameters:
    top_k: int
    beam_width: int
    verify: Verify
    constrained: bool
    wanted: Filter | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    item: Item
    logprob: float


class Searcher:
    """Runs searches on one engine, a bounded number at a time."""

    def __init__(self, engine: Engine, verified: int, admission: Admission) -> None:
        """``verified``: candidates that verification judges."""
        self._engine = engine
        self._verified = verified
        self._admission = admission
        self._pace = Pace()

    async def search(
        self,
        snapshot: Snapshot,
        direction: Direction,
        query: str | Picture,
        parameters: SearchParameters,
        *,
        deadline: Deadline | None = None,
        patient: bool = False,
        profile: bool = False,
        trace: Sequence[str] = (),
    ) -> SearchAnswer:
        """Search what can be found in ``snapshot``.

        Args:
            deadline: as it comes near, fewer candidates are verified and fewer beams go on.
            patient: wait for a turn however many wait already.
            profile: say of every part how long it took.
            trace: ids of items to follow through the beams; one that cannot be found is left out.

        Raises:
            EngineError: the engine failed.
            OverloadedError: too many searches wait.
            DeadlineError: there was no time for any answer.
        """
        watch, deadline = Stopwatch(), deadline or Deadline()
        with watch.span("filter"):
            side = await _side(snapshot, target_kind(direction), parameters.wanted)
        if side is None:
            return SearchAnswer(items=[], index_version=snapshot.version, timings={"total": 0.0})
        wanted = Plan(parameters.beam_width, 0 if parameters.verify == "never" else self._verified)
        async with AsyncExitStack() as turn:
            with watch.span("queue"):
                await turn.enter_async_context(self._admission.turn(deadline, patient=patient))
            plan = self._pace.plan(wanted, deadline.left)
            found = await self._find(
                watch, direction, query, side, parameters, plan.beam_width, deadline, bool(trace)
            )
            metrics.SURVIVAL.labels(direction).observe(len(found.beams) / plan.beam_width)
            with watch.span("items"):
                end = parameters.offset + parameters.top_k
                candidates = _candidates(snapshot, side, found, max(end + 1, self._verified))
            calibration = snapshot.calibration.get(direction, Calibration())
            if parameters.verify == "auto" and _leads(candidates, calibration.margin):
                plan = wanted = replace(plan, verified=0)
            top = candidates[: self._pace.verified(plan.verified, deadline.left)]
            verdicts = await self._judge(snapshot, query, top, calibration, watch, deadline)
        with watch.span("rank"):
            items = _ranked(candidates, verdicts or [])[parameters.offset : end]
        due = min(wanted.verified, len(candidates))
        is_late = verdicts is None and deadline.left == 0
        fewer = plan.beam_width < parameters.beam_width or (due > 1 and (len(top) < due or is_late))
        record_spans(watch, direction=direction, index=snapshot.version, beam_width=plan.beam_width)
        stages = ("filter", "queue", "tokenise", "beams", "items", "verify", "rank")
        return SearchAnswer(
            items=items,
            index_version=snapshot.version,
            verified=bool(verdicts),
            illegal=sum(not beam.leaves for beam in found.beams),
            more=len(candidates) > end,
            degraded=Degraded(beam_width=plan.beam_width, verified=len(verdicts or ()))
            if fewer
            else None,
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
        beam_width: int,
        deadline: Deadline,
        traced: bool,
    ) -> Found:
        """The beams, and spans of each of their steps."""
        text = query if isinstance(query, str) else ""
        pictures = () if isinstance(query, str) else (query,)
        with watch.span("tokenise"):
            prompt = self._engine.prompt(identifier_prompt(direction, text), pictures)
        try:
            with watch.span("beams") as start:
                async with asyncio.timeout(deadline.left):
                    found = await self._engine.find(
                        prompt,
                        side,
                        beam_width,
                        constrained=parameters.constrained,
                        traced=traced,
                    )
        except TimeoutError as error:
            raise DeadlineError(
                "the deadline passed before the beams had ended; allow the search more time, or "
                "search with fewer beams",
                by_client=deadline.by_client,
            ) from error
        self._pace.searched(beam_width, watch.elapsed - start)
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

    async def _judge(
        self,
        snapshot: Snapshot,
        query: str | Picture,
        candidates: Sequence[Candidate],
        calibration: Calibration,
        watch: Stopwatch,
        deadline: Deadline,
    ) -> list[Verdict] | None:
        """Verdicts on the candidates; None where there are none, or no time was left."""
        if len(candidates) < 2:
            return None
        try:
            with watch.span("verify") as start:
                async with asyncio.timeout(deadline.left):
                    verdicts = await verify(
                        self._engine,
                        snapshot,
                        query,
                        [candidate.item for candidate in candidates],
                        [candidate.logprob for candidate in candidates],
                        calibration,
                        watch,
                    )
        except TimeoutError:
            verdicts = None
        self._pace.judged(len(candidates), watch.elapsed - start)
        return verdicts


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


async def _side(snapshot: Snapshot, kind: Kind, wanted: Filter | None) -> Side | None:
    if wanted is None:
        return snapshot.side(kind)
    return await asyncio.to_thread(snapshot.side, kind, wanted)


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
