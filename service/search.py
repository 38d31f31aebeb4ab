"""One search: query → prompt → beams → candidates → verification → ranked items."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from semcore.identifier import Identifier
from semcore.item import Item
from semcore.prompt import Direction, identifier_prompt, target_kind
from service.answer import IdentifierAnswer, ItemAnswer, RankedItem, SearchAnswer
from service.engine import Engine, Found, Picture
from service.gsv import verify
from service.index import Index, Side


@dataclass(frozen=True, slots=True)
class SearchParameters:
    top_k: int
    beam_width: int
    verify: bool
    constrained: bool


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
        index: Index,
        direction: Direction,
        query: str | Picture,
        parameters: SearchParameters,
    ) -> SearchAnswer:
        """Search ``index``; raises :class:`semcore.errors.EngineError` if the engine fails."""
        began = time.perf_counter()
        side = index.side(target_kind(direction))
        if side is None:
            return SearchAnswer(items=[], index_version=index.version, timings={"total": 0.0})
        async with self._turns:
            started = time.perf_counter()
            text = query if isinstance(query, str) else ""
            pictures = () if isinstance(query, str) else (query,)
            prompt = self._engine.prompt(identifier_prompt(direction, text), pictures)
            found = await self._engine.find(
                prompt, side.stem, parameters.beam_width, constrained=parameters.constrained
            )
            candidates = list(_candidates(index, side, found))
            searched = time.perf_counter()
            probabilities = None
            if parameters.verify:
                top = candidates[: self._verified]
                probabilities = await verify(
                    self._engine,
                    index,
                    query,
                    [candidate.item for candidate in top],
                    [candidate.logprob for candidate in top],
                )
            ended = time.perf_counter()
        items = _ranked(candidates, probabilities or [])
        return SearchAnswer(
            items=items[: parameters.top_k],
            index_version=index.version,
            illegal=sum(beam.leaf is None for beam in found.beams),
            timings={
                "queue": 1000 * (started - began),
                "beam": 1000 * (searched - started),
                "verify": 1000 * (ended - searched),
                "total": 1000 * (ended - began),
            },
        )


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
    )


def _candidates(index: Index, side: Side, found: Found) -> Iterator[Candidate]:
    """The items of each identifier; those that share one share its score, in order of id."""
    known = [(beam.leaf, beam.logprob) for beam in found.beams if beam.leaf is not None]
    numbers = [side.walk.items_of(leaf).tolist() for leaf, _ in known]
    items = iter(index.store.of_numbers([number for shared in numbers for number in shared]))
    for (_, logprob), shared in zip(known, numbers, strict=True):
        yield from (Candidate(next(items), logprob) for _ in shared)


def _ranked(candidates: list[Candidate], probabilities: list[float]) -> list[RankedItem]:
    """The verified candidates by probability, then the others as the beams left them."""
    order = sorted(range(len(probabilities)), key=lambda place: -probabilities[place])
    order += range(len(probabilities), len(candidates))
    return [
        RankedItem(
            **item_answer(candidates[place].item).model_dump(),
            rank=rank,
            logprob=candidates[place].logprob,
            beam_rank=place + 1,
            verification=probabilities[place] if place < len(probabilities) else None,
        )
        for rank, place in enumerate(order, start=1)
    ]
