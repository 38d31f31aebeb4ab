"""Answers of tools have what a language model has use for, and reasons are told in words."""

import re
from typing import Any

import pytest

from service.mcp.tool_answers import FoundItems, Reason
from service.schemas.answer import RankedItem, SearchAnswer, StepAnswer, TraceAnswer

IDENTIFIER = {"global_id": 17, "keywords": ["boat"], "text": "<g17> boat"}


def ranked(item_id: str, rank: int, **more: Any) -> RankedItem:
    return RankedItem.model_validate(
        {
            "id": item_id, "kind": "image", "rank": rank, "identifier": IDENTIFIER,
            "logprob": -2.0, "commonness": None, "cosine": 0.5, "score": -2.0, "beam_rank": rank,
            "verification": 0.8, "odds": None, "description": None,
            "image": f"/items/{item_id}/image", "text": None, "metadata": {"year": 1990}, **more,
        }
    )  # fmt: skip


def answer(*items: RankedItem, trace: TraceAnswer | None = None) -> SearchAnswer:
    return SearchAnswer(
        items=list(items),
        index_version="v",
        verified=True,
        guide="evidence",
        timings={},
        traces=[] if trace is None else [trace],
    )


def trace(lost_at: int | None) -> TraceAnswer:
    return TraceAnswer(id="b", identifier="<g17> boat", steps=4, lost_at=lost_at)


def test_items_are_told_in_short() -> None:
    found = FoundItems.of(answer(ranked("a", 1)))
    assert found.model_dump() == {
        "items": [
            {
                "rank": 1, "id": "a", "identifier": "<g17> boat", "text": None,
                "image": "/items/a/image", "metadata": {"year": 1990}, "verification": 0.8,
                "cosine": 0.5,
            }
        ],
        "verified": True, "guide": "evidence", "index_version": "v",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("has_item", "traced", "said"),
    [
        (True, trace(None), "have spelled the identifier '<g17> boat'; it is in place 2."),
        (False, trace(None), "have spelled the identifier '<g17> boat'; it is not among"),
        (False, trace(3), "have lost the item: .* after token 3 of 4."),
        (True, trace(3), "guide has found the item, and it is in place 2; .* after token 3 of 4."),
        (True, None, "guide alone .* it is in place 2."),
        (False, None, "guide alone .* it is not among the first 1."),
    ],
)
def test_reasons_are_told_in_words(has_item: bool, traced: TraceAnswer | None, said: str) -> None:
    path = [StepAnswer(text=" boat", logprob=-1.0, beaten=[])]
    items = [ranked("a", 1), *([ranked("b", 2, path=path)] if has_item else [])]
    reason = Reason.of("b", answer(*items, trace=traced))
    assert re.search(said, reason.sentence)
    assert (reason.found is not None) == has_item
    assert reason.path == (path if has_item else [])
    assert reason.trace == traced
