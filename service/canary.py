"""How well an index finds what its canary queries ask for."""

from __future__ import annotations

import asyncio
import logging

from semcore.canary import CanaryQuery
from semcore.picture import UNREADABLE, open_picture
from semcore.prompt import DIRECTIONS, Direction, excerpt
from service.engine import Picture
from service.errors import InvalidQueryError
from service.index import Index
from service.search import Searcher, SearchParameters

TOP_K = 10
_log = logging.getLogger("semcore")


async def canary_recall(
    searcher: Searcher, index: Index, beam_width: int
) -> dict[Direction, float]:
    """Share of the queries of each direction with a right item among the ten best of the beams;
    directions without a query that can be asked are left out.

    Raises :class:`semcore.errors.EngineError` if the engine fails.
    """
    parameters = SearchParameters(TOP_K, beam_width, verify="never", constrained=True)

    async def finds(query: CanaryQuery) -> bool | None:
        asked = await asyncio.to_thread(_asked, index, query)
        if asked is None:
            return None
        snapshot = index.snapshot
        try:
            answer = await searcher.search(
                snapshot, query.direction, asked, parameters, patient=True
            )
        except InvalidQueryError as error:  # the bundle serves all others
            _log.warning("a canary query of %s is left out: %s", index.version, error)
            return None
        items = filter(None, (snapshot.get(item.id) for item in answer.items))
        return any(item.pair == query.pair for item in items)

    found = await asyncio.gather(*(finds(query) for query in index.canary))
    recall: dict[Direction, float] = {}
    for direction in DIRECTIONS:
        hits = [
            hit
            for query, hit in zip(index.canary, found, strict=True)
            if query.direction == direction and hit is not None
        ]
        if hits:
            recall[direction] = sum(hits) / len(hits)
    return recall


def _asked(index: Index, query: CanaryQuery) -> str | Picture | None:
    """None where the items or their pictures are gone."""
    snapshot = index.snapshot
    if query.direction == "text-to-image":
        return excerpt(query.query) if snapshot.get(query.pair) is not None else None
    item = snapshot.get(query.query)
    path = None if item is None else snapshot.image_path(item)
    if item is None or path is None:
        return None
    try:
        return Picture(open_picture(path), snapshot.picture_key(item))
    except UNREADABLE:
        return None
