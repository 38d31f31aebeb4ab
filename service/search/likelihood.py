"""What the model says of candidates beside the beams: how likely those are that the guide alone has
found, and how likely identifiers are without a query."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from semcore.bundle.calibration import Calibration
from semcore.kind import Kind
from service.engine.protocol import Engine, Prompt
from service.errors import InvalidQueryError
from service.search.candidates import Candidate, rescored
from service.search.commonness import Commonness
from service.telemetry.stopwatch import Stopwatch
from service.traffic.deadline import Deadline


async def scored(
    engine: Engine,
    known: Commonness,
    prompt: Prompt,
    kind: Kind,
    candidates: list[Candidate],
    calibration: Calibration,
    watch: Stopwatch,
    deadline: Deadline,
    *,
    guided: bool,
    commonness: bool,
) -> tuple[list[Candidate], bool]:
    """The candidates with what the model is to say of them, best first, and whether there was time
    for all of it.

    Args:
        known: where commonness is kept.
        prompt: asks for the identifiers.
        kind: of the candidates.
        guided: score those that the guide alone has found (equation 1).
        commonness: ask for it.

    Raises :class:`semcore.errors.EngineError` if the engine fails.
    """
    try:
        async with asyncio.timeout(deadline.left):
            if guided and any(one.logprob is None for one in candidates):
                with watch.span("likelihood"):
                    candidates = await _with_logprobs(engine, prompt, candidates)
                candidates = rescored(candidates, calibration)
            if commonness:
                with watch.span("commonness"):
                    candidates = await _with_commonness(known, kind, candidates)
                candidates = rescored(candidates, calibration)
    except (TimeoutError, InvalidQueryError):  # weighing needs room for a token more than beams do
        return candidates, False
    return candidates, True


async def _with_logprobs(
    engine: Engine, prompt: Prompt, candidates: list[Candidate]
) -> list[Candidate]:
    """Of several identifiers of an item the likeliest counts."""
    asked = [
        (place, identifier)
        for place, one in enumerate(candidates)
        if one.logprob is None
        for identifier in one.item.identifiers
    ]
    told = await engine.weigh(prompt, [engine.spell(identifier) for _, identifier in asked])
    found = list(candidates)
    for (place, identifier), logprob in zip(asked, told, strict=True):
        best = found[place].logprob
        if best is None or logprob > best:
            found[place] = replace(found[place], identifier=identifier, logprob=logprob)
    return found


async def _with_commonness(
    known: Commonness, kind: Kind, candidates: list[Candidate]
) -> list[Candidate]:
    """Of those whose log-probability is known."""
    spelled = [one.identifier for one in candidates if one.logprob is not None]
    found = dict(zip(spelled, await known.of(kind, spelled), strict=True))
    return [
        one if one.logprob is None else replace(one, commonness=found[one.identifier])
        for one in candidates
    ]
