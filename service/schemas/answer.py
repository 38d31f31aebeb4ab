"""What goes in and out over HTTP."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from semcore.bundle.filter import Filter
from semcore.kind import Kind
from service.schemas.metadata import Facets, MetadataOptions

Verify = Literal["auto", "always", "never"]
Guide = Literal["auto", "none", "only"]
Guided = Literal["none", "evidence", "only"]

EXAMPLE_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR42mM8ISfHwMDAxMDAwMDAAAAN"
    "BAEIf62CUQAAAABJRU5ErkJggg=="
)
"""A red one of four pixels, in base64."""
_EXAMPLE_ITEM: dict[str, Any] = {
    "id": "0001234", "kind": "image", "rank": 1,
    "identifier": {"global_id": 17, "keywords": ["boat", "red", "night", "two"],
                   "text": "<g17> boat red night two"},
    "logprob": -2.31, "commonness": None, "cosine": 0.61,
    "score": -2.31, "beam_rank": 2, "verification": 0.83,
    "odds": 2.4, "description": None, "probability": 0.71, "image": "/items/0001234/image",
    "text": None, "duplicates": [], "duplicate_count": 0,
}  # fmt: skip
_EXAMPLE_ANSWER: dict[str, Any] = {
    "items": [_EXAMPLE_ITEM], "index_version": "9f2c41d07ab3", "cached": False,
    "verified": True, "guide": "evidence", "illegal": 0, "spans": [],
    "timings": {"facets": 0.0, "filter": 0.0, "queue": 0.1, "tokenise": 0.2, "beams": 48.0,
                "items": 0.4, "guide": 9.0, "verify": 31.0, "rank": 0.2, "total": 79.9},
}  # fmt: skip


class RankingOptions(MetadataOptions):
    """Parameters of every search."""

    model_config = ConfigDict(extra="forbid", strict=True)

    top_k: int | None = Field(
        default=None,
        ge=1,
        description="number of items wanted; if left out 10, or as many as the service allows",
    )
    timeout_ms: int | None = Field(
        default=None,
        ge=1,
        le=600_000,
        description="milliseconds until the answer has to be there; what there is no time for is "
        "left out",
    )
    cursor: str | None = Field(
        default=None, max_length=500, description="that of the page before, for the next one"
    )
    filter: Filter | None = Field(
        default=None, description="only items whose metadata pass are found"
    )
    diversity: float = Field(
        default=0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="how much it counts against an item that it is like those before it, beside "
        "its relevance: 0 leaves the order as it is; for an index with a guide",
    )
    fold_duplicates: bool = Field(
        default=False,
        description="show of items that are nearly the same the best only, which names the "
        "others; for an index with a guide",
    )


class SearchOptions(RankingOptions):
    """Parameters of a search; what is left out takes the service's setting."""

    beam_width: int | None = Field(default=None, ge=1, description="beams of the search")
    verify: Verify = Field(
        default="auto",
        description="let the model judge the best candidates; auto: unless the first leads by far",
    )
    min_score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="leave out items that are right with a lower probability, so that nothing is "
        "answered where nothing fits; for an index that is calibrated",
    )
    guide: Guide = Field(
        default="auto",
        description="what the guide's cosine is good for: evidence beside what the model "
        "generates where the index has a guide (auto), nothing (none), or all there is (only)",
    )
    constrained: bool = Field(
        default=True, description="spell existing identifiers only; off for experiments"
    )
    profile: bool = Field(default=False, description="say where the search spent its time")
    commonness: bool = Field(
        default=False, description="say how likely each identifier is without the query, too"
    )
    describe: bool = Field(
        default=False,
        description="say of each verified candidate, too, by how much the picture makes the text "
        "likelier",
    )
    explain: bool = Field(
        default=False, description="say token by token how each identifier was spelled"
    )
    trace: list[Annotated[str, StringConstraints(max_length=1000)]] = Field(
        default=[],
        max_length=20,
        description="ids of items: say at which step the beams lost each of them",
    )


class TextQuery(SearchOptions):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"query": "two red boats at night", "top_k": 5}]},
    )

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ImageQuery(SearchOptions):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"image": EXAMPLE_PICTURE, "top_k": 5}]},
    )

    image: str = Field(min_length=1, description="the picture's bytes in base64")


class SimilarOptions(RankingOptions):
    """Parameters of a search for items like another."""

    kind: Kind | None = Field(
        default=None,
        description="of the items wanted; if left out that of the item, images for a picture",
    )


class SimilarQuery(SimilarOptions):
    """An item of the index, or a picture."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"id": "0001234", "top_k": 5}]},
    )

    id: str | None = Field(
        default=None, min_length=1, max_length=1000, description="of an item, which is left out"
    )
    image: str | None = Field(
        default=None,
        min_length=1,
        description="in place of the id: a picture's bytes in base64",
    )


class IdentifierAnswer(BaseModel):
    global_id: int | None
    keywords: list[str]
    text: str


class ItemAnswer(BaseModel):
    """An item by itself."""

    id: str
    kind: str
    identifier: IdentifierAnswer
    image: str | None = Field(description="link to the picture, for an image")
    text: str | None = Field(description="the text, for a text")
    metadata: dict[str, Any] = Field(default={}, description="what filters are about")


class BeatenAnswer(BaseModel):
    """A token that could have stood there."""

    text: str
    logprob: float


class StepAnswer(BaseModel):
    """A token of an identifier as the beams spelled it."""

    text: str = Field(description="with the space before it; empty: the end of the identifier")
    logprob: float = Field(description="after the query and the tokens before")
    beaten: list[BeatenAnswer] = Field(
        description="the likeliest others that identifiers go on with here"
    )


class RankedItem(ItemAnswer):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE_ITEM]})

    rank: int = Field(description="place from 1")
    logprob: float | None = Field(
        description="sum of the log-probabilities of the identifier's tokens; null of an item that "
        "the guide alone has found"
    )
    commonness: float | None = Field(
        description="log-probability of the identifier without a query, where the index is "
        "calibrated to subtract some of it, or it was asked for"
    )
    cosine: float | None = Field(
        default=None,
        description="between the guide's vectors of query and item; null without a guide",
    )
    score: float = Field(
        description="what candidates are ordered by before verification: log-probability, less "
        "some of the commonness where the index is calibrated so, and cosine, as they are weighed"
    )
    beam_rank: int = Field(description="place from 1 before verification")
    verification: float | None = Field(description="probability to be the best candidate")
    odds: float | None = Field(
        description="log-odds that it matches, by the model's judgement; of a model that chooses "
        "from a list, that it is the one of the list which does"
    )
    description: float | None = Field(
        description="by how much the picture makes the text likelier, in nats, where the index is "
        "calibrated to weigh that, or it was asked for"
    )
    probability: float | None = Field(
        default=None,
        description="that the item is right, by the guide's cosine, or without the guide by the "
        "score, and by the lead over the next one; null where the index is not calibrated",
    )
    path: list[StepAnswer] = Field(
        default=[], description="how its identifier was spelled, where that was asked for"
    )
    duplicates: list[str] = Field(
        default=[],
        description="ids of the items that were folded under this one, best first, where that was "
        "asked for",
    )
    duplicate_count: int = Field(default=0, description="how many these are")


class SpanAnswer(BaseModel):
    """A part of a search; ``path`` names the parts around it, as in ``beams/step 2/masks``."""

    path: str
    start: float = Field(description="milliseconds since the search began")
    length: float = Field(description="milliseconds")


class TraceAnswer(BaseModel):
    """How the beams fared with one item."""

    id: str
    identifier: str
    steps: int = Field(description="tokens of the identifier, its end included")
    lost_at: int | None = Field(
        description="the step, from 1, after which no beam led to the identifier any more; null "
        "where the beams found it"
    )


class Degraded(BaseModel):
    """What there was time for, where that was less than was asked for."""

    beam_width: int = Field(description="beams of the search")
    verified: int = Field(description="candidates that the model has judged")


class SearchAnswer(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE_ANSWER]})

    items: list[RankedItem]
    index_version: str
    cached: bool = False
    verified: bool = Field(default=False, description="the model has judged the best")
    guide: Guided = Field(
        default="none",
        description="what the order owes to the guide: nothing, evidence beside what the model "
        "has generated, or, only, all of it",
    )
    illegal: int = Field(default=0, description="identifiers spelled that do not exist")
    degraded: Degraded | None = Field(
        default=None, description="the deadline left time for this only; null: for everything"
    )
    more: bool = Field(default=False, exclude=True)
    cursor: str | None = Field(default=None, description="names the next page; null: there is none")
    considered: int | None = Field(
        default=None, description="candidates that were grouped or sorted; null: none was"
    )
    facets: Facets | None = Field(
        default=None, description="counts by metadata, where they were asked for"
    )
    timings: dict[str, float] = Field(
        description="milliseconds of each stage; none of an answer from the cache"
    )
    traces: list[TraceAnswer] = Field(
        default=[], description="of each item that was asked to be traced"
    )
    spans: list[SpanAnswer] = Field(
        default=[], description="every part of the search, where it was asked to be profiled"
    )


class BatchQuery(BaseModel):
    """Searches in both directions."""

    model_config = ConfigDict(extra="forbid")

    queries: list[TextQuery | ImageQuery] = Field(
        min_length=1,
        max_length=100,
        fail_fast=True,
        description="each counts against the rate of a key",
    )


class ErrorAnswer(BaseModel):
    error: str = Field(description="what is wrong and how to mend it, in one sentence")
    status: int | None = Field(default=None, description="of one of several searches")


class BatchAnswer(BaseModel):
    answers: list[SearchAnswer | ErrorAnswer] = Field(description="in the order of the queries")


_STATUSES = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503, 504)
ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorAnswer} for status in _STATUSES}


_FEW = 20


def rendered(answer: BaseModel) -> bytes:
    """An answer as JSON."""
    return answer.model_dump_json().encode()


async def rendered_aside(answer: SearchAnswer) -> bytes:
    """A search's answer as JSON, which takes a thread of its own where it is long."""
    if len(answer.items) <= _FEW and not answer.traces and not answer.spans:
        return rendered(answer)
    return await asyncio.to_thread(rendered, answer)
