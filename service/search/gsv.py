"""Generative semantic verification: the model judges each candidate against the query."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from semcore.bundle.calibration import Calibration
from semcore.bundle.item import Item
from semcore.identifiers.told import told_words
from semcore.model.prompt import (
    LETTERS,
    description_prompt,
    excerpt,
    list_prompt,
    normalise_query,
    verification_prompt,
)
from service.engine.protocol import Engine, Picture, Prompt, prompt_aside
from service.errors import InvalidQueryError
from service.index.snapshot import Snapshot
from service.search.commonness import Commonness
from service.search.decoder import Decoder
from service.telemetry.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class Verdict:
    """``probability`` to be the best candidate; ``odds``, as a logarithm, to match at all, or, in a
    list, to be the one that does; ``description``: by how much the picture makes the text likelier,
    in nats. None: not asked."""

    probability: float
    odds: float | None = None
    description: float | None = None


async def verify(
    engine: Engine,
    snapshot: Snapshot,
    query: str | Picture,
    candidates: Sequence[Item],
    scores: Sequence[float],
    calibration: Calibration,
    watch: Stopwatch,
    commonness: Commonness,
    decoder: Decoder,
    *,
    describe: bool = False,
) -> list[Verdict] | None:
    """How well each candidate matches (paper 3.3); the probabilities add up to one.

    That of candidate i is proportional to exp(score of i)^a · odds(i matches | query, i)^b ·
    (p(text | picture) / p(text))^c: the prior is the score, which is the log-probability of the
    identifier, less some of its commonness where the bundle is calibrated so, and the evidence what
    the model says of the candidate itself, when it is asked whether the two match, and as it
    describes pictures (VisualGPTScore, Lin et al., 2024); a, b and c are the weights of the
    calibration.

    The model is asked in the form that it has learned. Pointwise, each candidate has a prompt of
    its own, so that no place in a list is favoured, and all of them go to the engine in one request
    where there is room. Listwise, one prompt has them all in the order that they come in, and the
    odds of a candidate are those of its letter among their letters; a list that is longer than the
    model can read loses its second half, so that there are fewer verdicts.

    Args:
        scores: of the candidates, in nats (:meth:`semcore.bundle.calibration.Calibration.score`).
        commonness: knows how likely texts are.
        decoder: has the pictures of the candidates.
        describe: tell both kinds of evidence, whatever their weights.

    Returns:
        Of the first candidates, of all but for a list that was too long. None where there is
        nothing to compare: fewer than two candidates, a picture is gone, or a candidate is longer
        than the model can read.
    """
    if len(candidates) < 2:
        return None
    shown: Sequence[Picture | None]
    if isinstance(query, Picture):
        texts = [excerpt(item.caption) for item in candidates]
        shown = [query] * len(candidates)
    else:
        texts = [query] * len(candidates)
        with watch.span("verify/pictures"):
            shown = await asyncio.gather(*(decoder.picture(snapshot, item) for item in candidates))
    pictures = [picture for picture in shown if picture is not None]
    if len(pictures) < len(candidates):
        return None
    odds = described = None
    try:
        if describe or calibration.evidence or not calibration.description:
            with watch.span("verify/judge"):
                told = [told_words(item, snapshot.gsv.told) for item in candidates]
                if snapshot.gsv.form == "pointwise":
                    odds = await engine.judge(await prompts_of(engine, told, texts, pictures))
                else:
                    one = isinstance(query, Picture)
                    odds = await _chosen(engine, told, texts, pictures, one_picture=one)
                    texts, pictures = texts[: len(odds)], pictures[: len(odds)]
        if describe or calibration.description:
            with watch.span("verify/describe"):
                described = await _described(engine, texts, pictures, commonness)
    except InvalidQueryError:  # one of the candidates is too long, which is no fault of the query
        return None
    nothing: list[float | None] = [None] * len(texts)
    asked, shown_by = odds or nothing, described or nothing
    known = zip(scores, asked, shown_by, strict=False)
    weighed = [calibration.weighed(*one) for one in known]
    return [Verdict(*one) for one in zip(_softmax(weighed), asked, shown_by, strict=True)]


async def prompts_of(
    engine: Engine,
    told: Sequence[Sequence[str]],
    texts: Sequence[str],
    pictures: Sequence[Picture],
) -> list[Prompt]:
    """Asks of each pair of text and picture whether they match; ``told`` are the keywords of the
    one that is the candidate, or words in their place.

    Raises :class:`InvalidQueryError` if a pair is longer than the model can read.
    """
    asked = map(verification_prompt, told, texts)
    return [
        await prompt_aside(engine, one, [picture])
        for one, picture in zip(asked, pictures, strict=True)
    ]


async def list_prompt_of(
    engine: Engine,
    told: Sequence[Sequence[str]],
    texts: Sequence[str],
    pictures: Sequence[Picture],
    *,
    one_picture: bool,
) -> Prompt:
    """Asks in one prompt which of ten candidates at most belongs to the query.

    Args:
        told: of each candidate, as :func:`prompts_of` has it.
        one_picture: the picture is the query, and the same for all; else the text is.
    """
    text = list_prompt(texts, told, one_picture=one_picture)
    return await prompt_aside(engine, text, pictures[:1] if one_picture else pictures)


async def list_odds(engine: Engine, prompt: Prompt, count: int) -> list[float]:
    """Of each of the ``count`` candidates of a list prompt, two at least, the log-odds that it is
    the one, and none of the others in the list.

    Raises :class:`InvalidQueryError` if the list is longer than the model can read.
    """
    letters = await engine.choose(prompt, count)
    others = [[*letters[:place], *letters[place + 1 :]] for place in range(len(letters))]
    return [own - _logsum(rest) for own, rest in zip(letters, others, strict=True)]


async def _chosen(
    engine: Engine,
    told: Sequence[Sequence[str]],
    texts: Sequence[str],
    pictures: Sequence[Picture],
    *,
    one_picture: bool,
) -> list[float]:
    """Of the first candidates, as many as the model can read."""
    count = min(len(texts), len(LETTERS))
    while True:
        first = slice(count)
        try:
            prompt = await list_prompt_of(
                engine, told[first], texts[first], pictures[first], one_picture=one_picture
            )
            return await list_odds(engine, prompt, count)
        except InvalidQueryError:
            if count < 4:
                raise
            count //= 2


async def _described(
    engine: Engine, texts: Sequence[str], pictures: Sequence[Picture], commonness: Commonness
) -> list[float]:
    """Of each candidate log p(text | picture) - log p(text), in nats."""
    prompts = [engine.prompt(description_prompt(), [picture]) for picture in pictures]
    said = [engine.say(normalise_query(text)) for text in texts]
    told, plain = await asyncio.gather(engine.weigh_each(prompts, said), commonness.of_texts(texts))
    return [one - other for one, other in zip(told, plain, strict=True)]


def _softmax(logprobs: Sequence[float]) -> list[float]:
    total = _logsum(logprobs)
    return [math.exp(logprob - total) for logprob in logprobs]


def _logsum(logprobs: Sequence[float]) -> float:
    highest = max(logprobs)
    return highest + math.log(sum(math.exp(logprob - highest) for logprob in logprobs))
