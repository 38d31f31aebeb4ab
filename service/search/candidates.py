"""Candidates: the items whose identifiers the beams have spelled, and the order they come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from semcore.bundle.item import Item
from semcore.trie.layers import Layers
from service.beams.beam_search import Beam, Choice
from service.beams.side import Side
from service.index.lookup import look_up
from service.index.snapshot import Snapshot
from service.schemas.answer import (
    BeatenAnswer,
    RankedItem,
    StepAnswer,
)
from service.schemas.item_answer import item_answer
from service.search.gsv import Verdict


@dataclass(frozen=True, slots=True)
class Candidate:
    """Attributes:
    identifier: the one of the item's that the beams found.
    commonness: its log-probability without a query, where that was asked for.
    score: what the candidates are ordered by.
    choices: how the identifier was spelled, of a search that was traced.
    """

    item: Item
    identifier: str
    logprob: float
    commonness: float | None
    score: float
    choices: tuple[Choice, ...] = ()


async def candidates_of(
    snapshot: Snapshot,
    side: Side,
    beams: Sequence[Beam],
    spell: Callable[[str], Sequence[int]],
    most: int,
) -> list[Candidate]:
    """The first ``most`` items; those that share an identifier share its score, in order of id. An
    item with several identifiers has the score of the likeliest.

    Args:
        spell: the tokens of an identifier.
    """
    first: dict[int, Beam] = {}
    numbered = ((number, beam) for beam in beams for number in side.layers.items_of(beam.leaves))
    for number, beam in numbered:
        first.setdefault(number, beam)
        if len(first) == most:
            break
    items = await look_up(snapshot.items, list(first))
    return [
        Candidate(
            item,
            _identifier(item, beam, side.layers, spell),
            beam.logprob,
            None,
            beam.logprob,
            beam.choices,
        )
        for item, beam in zip(items, first.values(), strict=True)
    ]


def leads(candidates: list[Candidate], margin: float | None) -> bool:
    """Whether the first leads so far that verification would leave it in its place."""
    if margin is None or len(candidates) < 2:
        return False
    return candidates[0].score - candidates[1].score >= margin


def ranked(
    candidates: list[Candidate],
    verdicts: list[Verdict],
    shown: slice = slice(None),
    read: Callable[[int], str] | None = None,
) -> list[RankedItem]:
    """The verified candidates by probability, then the others by their score.

    Args:
        shown: which of these.
        read: the text of a token, if it is to be told how the identifiers were spelled.
    """
    told: list[Verdict | None] = [*verdicts, *[None] * (len(candidates) - len(verdicts))]
    order = sorted(range(len(verdicts)), key=lambda place: -verdicts[place].probability)
    order += range(len(verdicts), len(candidates))
    return [
        RankedItem(
            **item_answer(candidates[place].item).model_dump(),
            rank=rank,
            logprob=candidates[place].logprob,
            commonness=candidates[place].commonness,
            score=candidates[place].score,
            beam_rank=place + 1,
            **_judged(told[place]),
            path=[] if read is None else [_step(one, read) for one in candidates[place].choices],
        )
        for rank, place in list(enumerate(order, start=1))[shown]
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
