"""How well an index finds what its canary queries ask for."""

from __future__ import annotations

import asyncio
import logging

from semcore.bundle.canary import CanaryQuery
from semcore.bundle.item import Item
from semcore.kind import DIRECTIONS, Direction
from semcore.model.prompt import excerpt
from service.errors import InvalidQueryError
from service.index.index import Index
from service.index.lookup import look_up
from service.search.searcher import Searcher, SearchParameters

TOP_K = 10
_log = logging.getLogger("semcore")


async def canary_recall(
    searcher: Searcher, index: Index, beam_width: int
) -> dict[Direction, float]:
    """Share of the queries of each direction with a right item among the ten best of the beams;
    directions without a query that can be asked are left out.

    Raises :class:`semcore.errors.EngineError` if the engine fails.
    """
    parameters = SearchParameters(TOP_K, beam_width, verify="never", constrained=True, guide="none")

    async def finds(query: CanaryQuery) -> bool | None:
        snapshot = index.snapshot
        found = await asyncio.to_thread(_asked, index, query)
        asked = (
            await searcher.decoder.picture(snapshot, found) if isinstance(found, Item) else found
        )
        if asked is None:
            return None
        try:
            answer = await searcher.search(
                snapshot, query.direction, asked, parameters, patient=True
            )
        except InvalidQueryError as error:  # the bundle serves all others
            _log.warning("a canary query of %s is left out: %s", index.bundle.version, error)
            return None
        ids = [item.id for item in answer.items]
        items = await look_up(lambda: [snapshot.get(item_id) for item_id in ids])
        return any(item is not None and item.pair == query.pair for item in items)

    found = await asyncio.gather(*(finds(query) for query in index.bundle.canary))
    recall: dict[Direction, float] = {}
    for direction in DIRECTIONS:
        hits = [
            hit
            for query, hit in zip(index.bundle.canary, found, strict=True)
            if query.direction == direction and hit is not None
        ]
        if hits:
            recall[direction] = sum(hits) / len(hits)
    return recall


def _asked(index: Index, query: CanaryQuery) -> str | Item | None:
    """A text, or the item whose picture is asked with; None where the items are gone."""
    if query.direction == "text-to-image":
        return excerpt(query.query) if index.snapshot.get(query.pair) is not None else None
    return index.snapshot.get(query.query)
