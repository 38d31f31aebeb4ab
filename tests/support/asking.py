"""Asks the service without HTTP."""

from semcore.prompt import Direction
from service.answer import SearchOptions
from service.retrieval import Retrieval


async def asked(
    retrieval: Retrieval, direction: Direction, query: str | bytes, options: SearchOptions
) -> bytes:
    return await retrieval.search(retrieval.question(direction, query, options), query)
