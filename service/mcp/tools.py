"""The tools: searches, and why one has found an item or has not.

They call what the routes call, so that their limits, queue, deadlines and cache are the same.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from semcore.bundle.filter import Filter
from semcore.kind import Direction
from service.errors import InvalidQueryError, NotFoundError
from service.mcp.tool_answers import FoundItems, Reason
from service.retrieval import Retrieval
from service.schemas.answer import SearchAnswer, SearchOptions, SimilarOptions
from service.search.query_image import read_inline
from service.traffic.presence import Presence

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
TopK = Annotated[int | None, Field(ge=1, description="items wanted; 10 if left out")]
Picture = Annotated[str, StringConstraints(min_length=1)]
_PICTURE = "the picture's bytes in base64, or as a data URL"
_FILTER = "only items whose metadata pass"


class Tool(BaseModel):
    """The arguments of a tool, and what it does with them.

    Attributes:
        name: of the tool; the docstring of its class describes it.
        answers: what it answers.
    """

    model_config = ConfigDict(extra="forbid")

    name: ClassVar[str]
    answers: ClassVar[type[BaseModel]]

    async def answer(self, retrieval: Retrieval, presence: Presence) -> BaseModel:
        """Raises what :meth:`service.retrieval.Retrieval.search` raises."""
        raise NotImplementedError


class SearchImages(Tool):
    """Find the pictures of the index that a text describes."""

    name = "search_images"
    answers = FoundItems

    query: Text = Field(description="what the picture shows")
    top_k: TopK = None
    filter: Filter | None = Field(default=None, description=_FILTER)

    async def answer(self, retrieval: Retrieval, presence: Presence) -> FoundItems:
        options = SearchOptions(top_k=self.top_k, filter=self.filter)
        return FoundItems.of(await _searched(retrieval, presence, self.query, options))


class SearchTexts(Tool):
    """Find the texts of the index that describe a picture."""

    name = "search_texts"
    answers = FoundItems

    image_base64: Picture = Field(description=_PICTURE)
    top_k: TopK = None
    filter: Filter | None = Field(default=None, description=_FILTER)

    async def answer(self, retrieval: Retrieval, presence: Presence) -> FoundItems:
        content = await _content(self.image_base64, retrieval)
        options = SearchOptions(top_k=self.top_k, filter=self.filter)
        return FoundItems.of(await _searched(retrieval, presence, content, options))


class Similar(Tool):
    """Find the items of the index that are most like one of them."""

    name = "similar"
    answers = FoundItems

    id: str = Field(min_length=1, max_length=1000, description="of the item")
    top_k: TopK = None

    async def answer(self, retrieval: Retrieval, presence: Presence) -> FoundItems:
        options = SimilarOptions(top_k=self.top_k)
        asked = await asyncio.to_thread(retrieval.similar_question, self.id, options)
        return FoundItems.of(await _read(await retrieval.search(asked, self.id, presence)))


class Why(Tool):
    """Say why a search finds an item of the index, or after which token of its identifier the beams
    lose it: a picture is looked for by a text, a text by a picture."""

    name = "why"
    answers = Reason

    id: str = Field(min_length=1, max_length=1000, description="of the item")
    query: Text | None = Field(default=None, description="the text that looks for a picture")
    image_base64: Picture | None = Field(
        default=None, description=f"for a text, in place of the query: {_PICTURE}"
    )
    top_k: TopK = None

    async def answer(self, retrieval: Retrieval, presence: Presence) -> Reason:
        found = await retrieval.item(self.id)
        if found is None:
            raise NotFoundError(f"there is no item {self.id!r}")
        item, _ = found
        query: str | bytes
        if item.kind == "image":
            if self.query is None or self.image_base64 is not None:
                raise InvalidQueryError(
                    f"the item {self.id!r} is a picture, which a text looks for; send a query alone"
                )
            query = self.query
        else:
            if self.image_base64 is None or self.query is not None:
                raise InvalidQueryError(
                    f"the item {self.id!r} is a text, which a picture looks for; send image_base64 "
                    "alone"
                )
            query = await _content(self.image_base64, retrieval)
        options = SearchOptions(top_k=self.top_k, explain=True, trace=[self.id])
        return Reason.of(self.id, await _searched(retrieval, presence, query, options))


TOOLS: dict[str, type[Tool]] = {
    tool.name: tool for tool in (SearchImages, SearchTexts, Similar, Why)
}
"""By name."""


async def _content(image: str, retrieval: Retrieval) -> bytes:
    return await asyncio.to_thread(read_inline, image, retrieval.settings.max_image_bytes)


async def _searched(
    retrieval: Retrieval, presence: Presence, query: str | bytes, options: SearchOptions
) -> SearchAnswer:
    direction: Direction = "text-to-image" if isinstance(query, str) else "image-to-text"
    asked = await asyncio.to_thread(retrieval.question, direction, query, options)
    return await _read(await retrieval.search(asked, query, presence))


async def _read(answer: bytes) -> SearchAnswer:
    return await asyncio.to_thread(SearchAnswer.model_validate_json, answer)
