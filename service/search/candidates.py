"""Candidates: the items whose identifiers the beams have spelled, and the order they come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from semcore.bundle.calibration import Calibration
from semcore.bundle.item import Item
from semcore.trie.layers import Layers
from service.beams.beam_search import Beam, Choice
from service.beams.side import Side
from service.index.lookup import look_up
from service.index.snapshot import Snapshot
from service.refusal.threshold import Threshold
from service.schemas.answer import (
    BeatenAnswer,
    RankedItem,
    StepAnswer,
)
from service.schemas.item_answer import item_answer
from service.search.gsv import Verdict
from service.search.guidance import Guidance

_SHARED = 100_000  # items, of all beams together, that the guide compares
GUIDED = 50
"""Candidates of the guide's own."""
MOST = 500
"""Candidates that are put in another order: as many as all pages have together."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Attributes:
    identifier: the likeliest of the item's.
    logprob: its own; None of an item that the guide alone found and the model has not scored.
    commonness: its log-probability without a query, where that was asked for.
    cosine: between the guide's vectors of query and item, where there are such.
    score: what the candidates are ordered by.
    choices: how the identifier was spelled, of a search that was traced.
    probability: that the item is right; None where that is not known.
    number: the item's.
    """

    item: Item
    identifier: str
    logprob: float | None
    commonness: float | None
    cosine: float | None
    score: float
    choices: tuple[Choice, ...] = ()
    probability: float | None = None
    number: int = field(kw_only=True)


async def candidates_of(
    snapshot: Snapshot,
    side: Side,
    beams: Sequence[Beam],
    spell: Callable[[str], Sequence[int]],
    most: int,
    calibration: Calibration,
    guidance: Guidance | None = None,
) -> list[Candidate]:
    """The first ``most`` items, best first. An item with several identifiers has the
    log-probability of the likeliest.

    Those that share an identifier share its log-probability, and come in order of id where the
    guide does not tell them apart. The guide adds items of its own; as long as the model has not
    scored these they count as no likelier than the last that the beams found.

    Args:
        spell: the tokens of an identifier.
        calibration: weighs log-probability and cosine.
        guidance: None without a guide.
    """
    first: dict[int, Beam | None] = {}
    enough = most if guidance is None else _SHARED
    numbered = ((number, beam) for beam in beams for number in side.layers.items_of(beam.leaves))
    for number, beam in numbered:
        first.setdefault(number, beam)
        if len(first) == enough:
            break
    cosines: dict[int, float] = {}
    if guidance is not None:
        near, _ = await guidance.nearest(GUIDED if beams else most)
        first.update({int(number): None for number in near if int(number) not in first})
        numbers = np.fromiter(first, dtype=np.int64, count=len(first))
        cosines = dict(zip(first, (await guidance.cosines(numbers)).tolist(), strict=True))
    told = calibration.scores(
        [None if beam is None else beam.logprob for beam in first.values()],
        [cosines.get(number) for number in first],
    )
    scores = dict(zip(first, told, strict=True))
    chosen = sorted(scores, key=lambda number: -scores[number])[:most]
    items = await look_up(snapshot.items, chosen)
    return [
        Candidate(
            item,
            item.identifier if beam is None else _identifier(item, beam, side.layers, spell),
            None if beam is None else beam.logprob,
            None,
            cosines.get(number),
            scores[number],
            () if beam is None else beam.choices,
            number=number,
        )
        for item, number, beam in ((i, n, first[n]) for i, n in zip(items, chosen, strict=True))
    ]


def rescored(candidates: Sequence[Candidate], calibration: Calibration) -> list[Candidate]:
    """The candidates by what is known of each by now, best first."""
    surplus = [
        None if one.logprob is None else calibration.surplus(one.logprob, one.commonness)
        for one in candidates
    ]
    scores = calibration.scores(surplus, [one.cosine for one in candidates])
    scored = [replace(one, score=score) for one, score in zip(candidates, scores, strict=True)]
    return sorted(scored, key=lambda one: -one.score)


def kept(candidates: Sequence[Candidate], threshold: Threshold) -> list[Candidate]:
    """The candidates that are likely enough to be right, each with its probability, in their
    order."""
    told = threshold.probabilities(
        [one.score for one in candidates], [one.cosine for one in candidates]
    )
    return [
        replace(one, probability=probability)
        for one, probability in zip(candidates, told, strict=True)
        if threshold.keeps(probability)
    ]


def leads(candidates: list[Candidate], margin: float | None) -> bool:
    """Whether the first leads so far that verification would leave it in its place."""
    if margin is None or len(candidates) < 2:
        return False
    return candidates[0].score - candidates[1].score >= margin


def ranking(candidates: Sequence[Candidate], verdicts: Sequence[Verdict]) -> list[int]:
    """The places of the verified candidates by probability, then of the others by their score."""
    order = sorted(range(len(verdicts)), key=lambda place: -verdicts[place].probability)
    return [*order, *range(len(verdicts), len(candidates))]


def ranked(
    candidates: list[Candidate],
    verdicts: list[Verdict],
    shown: slice = slice(None),
    read: Callable[[int], str] | None = None,
    groups: Sequence[Sequence[int]] | None = None,
) -> list[RankedItem]:
    """The candidates as they are answered.

    Args:
        shown: which of these.
        read: the text of a token, if it is to be told how the identifiers were spelled.
        groups: the places of the candidates in their order, each with those that are folded under
            it; None: all of them by :func:`ranking`.
    """
    told: list[Verdict | None] = [*verdicts, *[None] * (len(candidates) - len(verdicts))]
    if groups is None:
        groups = [[place] for place in ranking(candidates, verdicts)]
    return [
        RankedItem(
            **item_answer(candidates[place].item).model_dump(),
            rank=rank,
            logprob=candidates[place].logprob,
            commonness=candidates[place].commonness,
            cosine=candidates[place].cosine,
            score=candidates[place].score,
            beam_rank=place + 1,
            **_judged(told[place]),
            probability=candidates[place].probability,
            path=[] if read is None else [_step(one, read) for one in candidates[place].choices],
            duplicates=[candidates[one].item.id for one in folded],
            duplicate_count=len(folded),
        )
        for rank, (place, *folded) in list(enumerate(groups, start=1))[shown]
    ]


def _judged(verdict: Verdict | None) -> dict[str, float | None]:
    if verdict is None:
        return dict.fromkeys(("verification", "odds", "description"))
    return {
        "verification": verdict.probability,
        "odds": verdict.odds,
        "description": verdict.description,
    }


def _step(choice: Choice, read: Callable[[int], str]) -> StepAnswer:
    beaten = [BeatenAnswer(text=read(token), logprob=told) for token, told in choice.beaten]
    return StepAnswer(text=read(choice.token), logprob=choice.logprob, beaten=beaten)


def _identifier(
    item: Item, beam: Beam, layers: Layers, spell: Callable[[str], Sequence[int]]
) -> str:
    """The one of an item's that a beam has spelled."""
    for identifier in item.identifiers[1:]:
        spelled = layers.follow(spell(identifier))
        if spelled is not None and spelled[1] == beam.leaves:
            return identifier
    return item.identifier
