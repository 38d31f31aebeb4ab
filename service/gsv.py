"""Generative semantic verification: the model judges each candidate against the query."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from semcore.calibration import Calibration
from semcore.identifier import Identifier
from semcore.item import Item
from semcore.picture import UNREADABLE, open_picture
from semcore.prompt import verification_prompt
from service.engine import Engine, Picture
from service.errors import InvalidQueryError
from service.snapshot import Snapshot
from service.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class Verdict:
    """``probability`` to be the best candidate; ``odds``, as a logarithm, to match at all."""

    probability: float
    odds: float


async def verify(
    engine: Engine,
    snapshot: Snapshot,
    query: str | Picture,
    candidates: Sequence[Item],
    scores: Sequence[float],
    calibration: Calibration,
    watch: Stopwatch,
) -> list[Verdict] | None:
    """How well each candidate matches (paper 3.3); the probabilities add up to one.

    That of candidate i is proportional to exp(score of i)^a · odds(i matches | query, i)^b: the
    prior is the score, which is the log-probability of the identifier, less some of its commonness
    where the bundle is calibrated so, and the evidence what the model says of the candidate itself;
    a and b are the weights of the calibration. Each candidate has a prompt of its own, and all of
    them one engine batch, so that no place in a list is favoured.

    Args:
        scores: of the candidates, in nats (:meth:`semcore.calibration.Calibration.score`).

    Returns:
        None where there is nothing to compare: fewer than two candidates, a picture is gone, or a
        candidate is longer than the model can read.
    """
    if len(candidates) < 2:
        return None
    shown: Sequence[Picture | None]
    if isinstance(query, Picture):
        texts = [item.caption for item in candidates]
        shown = [query] * len(candidates)
    else:
        texts = [query] * len(candidates)
        with watch.span("verify/pictures"):
            shown = await asyncio.gather(
                *(asyncio.to_thread(_picture, snapshot, item) for item in candidates)
            )
    prompts = []
    for item, text, picture in zip(candidates, texts, shown, strict=True):
        if picture is None:
            return None
        keywords = Identifier.parse(item.identifier).lexical_id
        prompts.append(engine.prompt(verification_prompt(keywords, text), [picture]))
    try:
        with watch.span("verify/judge"):
            odds = await engine.judge(prompts)
    except InvalidQueryError:  # one of the candidates is too long, which is no fault of the query
        return None
    weighed = [
        calibration.prior * prior + calibration.evidence * evidence
        for prior, evidence in zip(scores, odds, strict=True)
    ]
    return [Verdict(*one) for one in zip(_softmax(weighed), odds, strict=True)]


def _picture(snapshot: Snapshot, item: Item) -> Picture | None:
    key = snapshot.picture_key(item)
    tokens = snapshot.visual_tokens(item)
    if tokens is not None:
        return Picture(None, key, tokens)
    path = snapshot.image_path(item)
    if path is None:
        return None
    try:
        return Picture(open_picture(path), key)
    except UNREADABLE:
        return None


def _softmax(logprobs: Sequence[float]) -> list[float]:
    highest = max(logprobs)
    weights = [math.exp(logprob - highest) for logprob in logprobs]
    return [weight / sum(weights) for weight in weights]
