"""The tools answer what the routes answer, and refuse what these refuse."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from reranking import inline
from searching import client_of, search, upload

from service.errors import InvalidQueryError, NotFoundError, RequestError
from service.mcp.tool_answers import FoundItems
from service.mcp.tools import TOOLS, SearchImages, SearchTexts, Similar, Why
from service.retrieval import Retrieval
from service.schemas.answer import SearchAnswer
from service.settings import Settings
from service.traffic.presence import present


def retrieval_of(client: httpx.AsyncClient) -> Retrieval:
    retrieval: Retrieval = client.app.state.retrieval  # type: ignore[attr-defined]
    return retrieval


def told(response: httpx.Response) -> FoundItems:
    return FoundItems.of(SearchAnswer.model_validate(response.json()))


async def test_finds_what_the_routes_find(few: Path) -> None:
    wanted = {"field": "year", "gte": 1992}
    async with client_of(Settings(bundle=few)) as client:
        retrieval = retrieval_of(client)
        images = SearchImages(query="two red boats", top_k=3, filter=wanted)
        expected = await search(client, top_k=3, filter=wanted)
        assert await images.answer(retrieval, present) == told(expected)
        content = inline()
        texts = SearchTexts(image_base64=f"data:image/png;base64,{content}", top_k=2)
        answer = await client.post("/search/image-to-text", json={"image": content, "top_k": 2})
        assert await texts.answer(retrieval, present) == told(answer)


async def test_tells_why_of_pictures_and_texts(client: httpx.AsyncClient) -> None:
    retrieval = retrieval_of(client)
    first = (await search(client, top_k=1)).json()["items"][0]["id"]
    why = await Why(id=first, query="two red boats").answer(retrieval, present)
    assert why.found is not None
    assert why.found.rank == 1
    assert "".join(step.text for step in why.path).strip() == why.found.identifier
    assert why.trace is not None
    assert why.trace.lost_at is None
    ids = {item.id for item in retrieval.lifecycle.current.bundle.store.of_split("test", "image")}
    found = (await search(client, top_k=100, beam_width=20)).json()["items"]
    lost = min(ids - {item["id"] for item in found})
    reason = await Why(id=lost, query="two red boats").answer(retrieval, present)
    assert reason.found is None
    assert reason.trace is not None
    assert reason.trace.lost_at
    text = f"{first}#0"
    told = await Why(id=text, image_base64=inline()).answer(retrieval, present)
    assert told.trace is not None
    assert told.trace.id == text


async def test_tells_why_where_the_guide_alone_searches(untrained: Path) -> None:
    async with client_of(Settings(bundle=untrained)) as client:
        first = (await search(client, top_k=1)).json()["items"][0]["id"]
        why = await Why(id=first, query="two red boats").answer(retrieval_of(client), present)
        assert why.found is not None
        assert why.trace is None
        assert "guide alone" in why.sentence


async def test_finds_items_like_one(untrained: Path) -> None:
    async with client_of(Settings(bundle=untrained)) as client:
        expected = await client.post("/search/similar", json={"id": "0000000", "top_k": 3})
        found = await Similar(id="0000000", top_k=3).answer(retrieval_of(client), present)
        assert found == told(expected)
        assert len(found.items) == 3
        with pytest.raises(NotFoundError, match="no item 'none'"):
            await Similar(id="none").answer(retrieval_of(client), present)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"id": "none", "query": "a boat"}, NotFoundError, "no item 'none'"),
        ({"id": "0000000"}, InvalidQueryError, "a text looks for"),
        ({"id": "0000000", "image_base64": "AA"}, InvalidQueryError, "a text looks for"),
        ({"id": "0000000#0", "query": "a boat"}, InvalidQueryError, "a picture looks for"),
        ({"id": "0000000#0", "image_base64": "?"}, InvalidQueryError, "base64"),
    ],
)
async def test_says_what_an_item_is_looked_for_by(
    client: httpx.AsyncClient, arguments: dict[str, Any], error: type[RequestError], said: str
) -> None:
    with pytest.raises(error, match=said):
        await Why.model_validate(arguments).answer(retrieval_of(client), present)


async def test_is_held_to_the_limits_of_the_service(client: httpx.AsyncClient) -> None:
    retrieval = retrieval_of(client)
    with pytest.raises(InvalidQueryError, match="top_k"):
        await SearchImages(query="a boat", top_k=10**6).answer(retrieval, present)
    assert (await upload(client, b"no picture")).status_code == 415
    with pytest.raises(RequestError) as raised:
        await SearchTexts(image_base64="AAAA").answer(retrieval, present)
    assert raised.value.status == 415


@pytest.mark.parametrize("name", TOOLS)
def test_arguments_that_there_are_not_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        TOOLS[name].model_validate({"query": "a", "id": "a", "image_base64": "A", "unknown": 1})
