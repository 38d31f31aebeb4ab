"""Asks the service without HTTP."""

from semcore.kind import Direction
from service.retrieval import Retrieval
from service.schemas.answer import SearchOptions


async def asked(
    retrieval: Retrieval, direction: Direction, query: str | bytes, options: SearchOptions
) -> bytes:
    return await retrieval.search(retrieval.question(direction, query, options), query)
