"""Clients of services with this form of re-ranking are served unchanged."""

import base64
import io
from pathlib import Path

import httpx
import pytest
from PIL import Image
from reranking import inline
from searching import assert_one_sentence, assert_serves, client_of

from service.schemas.rerank import MOST_DOCUMENTS
from service.settings import Settings

PATH = "/v1/rerank"
# As Cohere documents the body of its second version.
COHERE = {
    "model": "rerank-v4.0-pro",
    "query": "Which boat is red?",
    "top_n": 3,
    "documents": ["A red boat on a lake.", "A house in the snow.", "A dog.", "Two red boats."],
    "max_tokens_per_doc": 4096,
}


async def test_takes_the_body_of_cohere(guided: Path) -> None:
    async with client_of(Settings(bundle=guided)) as client:
        headers = {"Authorization": "bearer any"}
        response = await client.post(PATH, json=COHERE, headers=headers)
        assert response.status_code == 200, response.text
        body = response.json()
        results = body["results"]
        assert len(results) == 3
        assert {result["index"] for result in results[:2]} == {0, 3}
        scores = [result["relevance_score"] for result in results]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        assert all(set(result) == {"index", "relevance_score"} for result in results)
        assert body["id"]
        assert body["scored_by"] == "guide"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_answers_what_clients_of_vllm_read(client: httpx.AsyncClient) -> None:
    from vllm.entrypoints.pooling.scoring.protocol import RerankResponse

    sent = {
        "model": "m", "query": "two red boats", "return_documents": True, "top_n": 0,
        "documents": [{"image": inline(), "text": "a red field"}, {"image": inline("blue")}],
    }  # fmt: skip
    response = await client.post(PATH, json=sent)
    assert response.status_code == 200, response.text
    read = RerankResponse.model_validate(response.json())
    assert read.model == "m"
    assert sorted(result.index for result in read.results) == [0, 1]
    told = {result.index: result.document.text for result in read.results}
    assert told == {0: "a red field", 1: None}
    assert read.usage.total_tokens == read.usage.prompt_tokens > 0
    assert response.json()["scored_by"] == "verification"


async def test_a_picture_finds_its_texts(client: httpx.AsyncClient) -> None:
    texts = ["a boat", "a dog"]
    response = await client.post(PATH, json={"query": {"image": inline()}, "documents": texts})
    assert response.status_code == 200, response.text
    assert sorted(result["index"] for result in response.json()["results"]) == [0, 1]


async def test_each_fault_is_one_sentence(client: httpx.AsyncClient) -> None:
    shown = {"image": inline()}
    large = io.BytesIO()
    Image.new("RGB", (1100, 1000)).save(large, "PNG")  # more pixels than the fixture allows
    wrong: list[tuple[dict[str, object], int]] = [
        ({"documents": []}, 422),
        ({"documents": ["a text"]}, 422),
        ({"documents": [shown] * (MOST_DOCUMENTS + 1)}, 422),
        ({"documents": [{"id": "none"}]}, 404),
        ({"documents": [shown, {"image": "AAAA"}]}, 415),
        ({"documents": [{"image": base64.b64encode(large.getvalue()).decode()}]}, 413),
        ({"documents": [shown], "query": " "}, 422),
        ({"documents": [shown], "top_n": -1}, 422),
    ]
    for body, status in wrong:
        response = await client.post(PATH, json={"query": "a boat", **body})
        assert_one_sentence(response, status)
    refused = await client.post(PATH, json={"query": "a boat", "documents": ["a text"]})
    assert "guide" in refused.json()["error"]
    await assert_serves(client)


@pytest.mark.usefixtures("within_a_minute")
async def test_needs_a_key_and_counts_once(guarded: httpx.AsyncClient) -> None:
    body = {"query": "a boat", "documents": [{"image": inline()}] * 3}
    assert (await guarded.post(PATH, json=body)).status_code == 401
    headers = {"Authorization": "Bearer rare"}
    statuses = [(await guarded.post(PATH, json=body, headers=headers)).status_code for _ in "1234"]
    assert statuses == [200, 200, 200, 429]
