"""What the tools answer: of a search as much as a language model has use for."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field

from service.schemas.answer import Guided, RankedItem, SearchAnswer, StepAnswer, TraceAnswer


class FoundItem(BaseModel):
    rank: int = Field(description="place from 1")
    id: str
    identifier: str = Field(description="what the model has spelled: a cluster, then keywords")
    text: str | None = Field(description="the text, for a text")
    image: str | None = Field(description="path of the picture at the service, for an image")
    metadata: dict[str, Any]
    verification: float | None = Field(
        description="probability to be the best of those that the model has judged"
    )
    cosine: float | None = Field(description="by the guide, between query and item")

    @classmethod
    def of(cls, item: RankedItem) -> Self:
        told = item.model_dump(include=set(cls.model_fields) - {"identifier"})
        return cls(identifier=item.identifier.text, **told)


class FoundItems(BaseModel):
    """Best first."""

    items: list[FoundItem]
    verified: bool = Field(description="the model has judged the best")
    guide: Guided = Field(description="what the order owes to the guide")
    index_version: str

    @classmethod
    def of(cls, answer: SearchAnswer) -> Self:
        return cls(
            items=[FoundItem.of(item) for item in answer.items],
            verified=answer.verified,
            guide=answer.guide,
            index_version=answer.index_version,
        )


class Reason(BaseModel):
    """Why a search has found an item, or has not."""

    sentence: str = Field(description="the reason in words")
    found: FoundItem | None = Field(description="the item in the answer; null: it is not there")
    path: list[StepAnswer] = Field(description="how its identifier was spelled, of an item found")
    trace: TraceAnswer | None = Field(
        description="how far the beams came; null where no beams were run"
    )

    @classmethod
    def of(cls, item_id: str, answer: SearchAnswer) -> Self:
        """Args:
        answer: of a search that was explained, and that traced the item.
        """
        found = next((item for item in answer.items if item.id == item_id), None)
        trace = next(iter(answer.traces), None)
        return cls(
            sentence=_sentence(found, trace, len(answer.items)),
            found=None if found is None else FoundItem.of(found),
            path=[] if found is None else found.path,
            trace=trace,
        )


def _sentence(found: RankedItem | None, trace: TraceAnswer | None, shown: int) -> str:
    place = (
        f"it is not among the first {shown}" if found is None else f"it is in place {found.rank}"
    )
    if trace is None:
        return f"The guide alone has ranked the items, by their cosines; {place}."
    if trace.lost_at is None:
        return f"The beams have spelled the identifier {trace.identifier!r}; {place}."
    lost = (
        f"no beam led to the identifier {trace.identifier!r} any more after token {trace.lost_at} "
        f"of {trace.steps}"
    )
    if found is None:
        return f"The beams have lost the item: {lost}."
    return f"The guide has found the item, and {place}; {lost}."
