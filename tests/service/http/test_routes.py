"""Each kind of bad input gets its status and one sentence; good input goes on being served."""

import asyncio
import base64
import io
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_engine import FakeEngine
from manifests import copied
from models import another_model
from PIL import Image

from semcore.errors import EngineError, ModelError
from service.engine.protocol import Found, Prompt
from service.index.index import Index
from service.retrieval import Retrieval
from service.settings import Settings

KEY = {"X-API-Key": "a-key"}


def picture(size: tuple[int, int] = (64, 64), kind: str = "PNG", frames: int = 1) -> bytes:
    images = [Image.new("RGB", size, (40 * n, 90, 160)) for n in range(frames)]
    out = io.BytesIO()
    extra = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(out, kind, **extra)
    return out.getvalue()


async def search(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    return await client.post("/search/text-to-image", json={"query": "two red boats", **body})


async def upload(client: httpx.AsyncClient, content: bytes, **fields: str) -> httpx.Response:
    return await client.post("/search/image-to-text", files={"image": content}, data=fields)


async def assert_serves(client: httpx.AsyncClient) -> None:
    response = await search(client, top_k=3)
    assert response.status_code == 200, response.text
    assert len(response.json()["items"]) == 3


def assert_one_sentence(response: httpx.Response, status: int) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert body["error"]
    assert "\n" not in body["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"query": ""},
        {"query": "   "},
        {"query": "<<<"},
        {"query": "boat " * 10_000},
        {"query": 7},
        {"query": None},
        {"top_k": 0},
        {"top_k": 10**9},
        {"top_k": "many"},
        {"beam_width": 0},
        {"beam_width": 10**6},
        {"unknown": 1},
    ],
)
async def test_refuses_bad_text_queries(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert_one_sentence(await search(client, **body), 422)
    await assert_serves(client)


async def test_refuses_a_body_that_is_no_json(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/search/text-to-image", content=b"{", headers=headers)
    assert_one_sentence(response, 400)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"no picture at all", 415),
        (b"", 415),
        (picture((400, 300), "JPEG")[:900], 415),
        (picture((10_000, 10_000)), 413),
        (b"x" * 20_000_001, 413),
        (b"x" * 41_000_000, 413),
    ],
    ids=["text", "empty", "truncated", "100 megapixels", "many bytes", "beyond the body limit"],
)
async def test_refuses_bad_pictures(client: httpx.AsyncClient, content: bytes, status: int) -> None:
    assert_one_sentence(await upload(client, content), status)
    await assert_serves(client)


async def test_takes_pictures_in_both_ways_and_the_first_frame_of_an_animation(
    client: httpx.AsyncClient,
) -> None:
    content = picture(kind="GIF", frames=3)
    response = await upload(client, content, top_k="4", verify="never")
    assert response.status_code == 200, response.text
    items = response.json()["items"]
    assert [item["kind"] for item in items] == ["text"] * 4
    assert all(item["verification"] is None for item in items)
    body = {"image": base64.b64encode(content).decode(), "top_k": 4, "verify": "never"}
    again = await client.post("/search/image-to-text", json=body)
    assert again.json()["items"] == items
    assert again.json()["cached"]


async def test_refuses_bad_base64_and_other_bodies(client: httpx.AsyncClient) -> None:
    address = "/search/image-to-text"
    assert_one_sentence(await client.post(address, json={"image": "?!"}), 422)
    assert_one_sentence(await client.post(address, json={"image": "", "top_k": 1}), 422)
    assert_one_sentence(await client.post(address, content=b"raw"), 415)
    assert_one_sentence(await client.post(address, data={"top_k": "1"}, files={"a": b"b"}), 422)


async def test_ranks_by_verification_and_keeps_the_beam_score(client: httpx.AsyncClient) -> None:
    answer = (await search(client, top_k=20)).json()
    verified = [i["verification"] for i in answer["items"] if i["verification"] is not None]
    assert len(verified) == 10
    assert verified == sorted(verified, reverse=True)
    assert sum(verified) == pytest.approx(1.0)
    by_beam = sorted(answer["items"], key=lambda item: item["beam_rank"])
    logprobs = [item["logprob"] for item in by_beam]
    assert logprobs == sorted(logprobs, reverse=True)
    assert set(answer["timings"]) == {
        "filter",
        "queue",
        "tokenise",
        "beams",
        "items",
        "commonness",
        "verify",
        "rank",
        "total",
    }


async def test_shows_items_and_their_pictures(client: httpx.AsyncClient) -> None:
    found = (await search(client, top_k=1)).json()["items"][0]
    item = (await client.get(f"/items/{found['id']}")).json()
    assert item["identifier"] == found["identifier"]
    image = await client.get(found["image"])
    assert Image.open(io.BytesIO(image.content)).size == (128, 128)
    text = await client.get(f"/items/{found['id']}%230")
    assert text.json()["kind"] == "text"
    assert_one_sentence(await client.get("/items/none"), 404)
    assert_one_sentence(await client.get(f"/items/{found['id']}%230/image"), 404)
    assert_one_sentence(await client.get("/nowhere"), 404)


async def test_reload_needs_the_key_and_a_sound_bundle(
    client: httpx.AsyncClient, trained: Path, smaller: Path, tmp_path: Path
) -> None:
    address = "/admin/index/reload"
    assert_one_sentence(await client.post(address, json={}), 401)
    assert_one_sentence(await client.post(address, json={}, headers={"X-API-Key": "b"}), 401)
    before = (await client.get("/readyz")).json()["index_version"]

    missing = await client.post(address, json={"bundle": str(tmp_path / "none")}, headers=KEY)
    assert_one_sentence(missing, 422)
    damaged = tmp_path / "damaged"
    shutil.copytree(trained / "bundle", damaged)
    (damaged / "image.marisa").write_bytes(b"damaged")
    response = await client.post(address, json={"bundle": str(damaged)}, headers=KEY)
    assert_one_sentence(response, 422)
    assert "image.marisa" in response.json()["error"]
    assert (await client.get("/readyz")).json()["index_version"] == before
    await assert_serves(client)

    done = await client.post(address, json={"bundle": str(smaller)}, headers=KEY)
    assert done.status_code == 200, done.text
    assert done.json()["previous_version"] == before
    answer = (await search(client, top_k=3)).json()
    assert answer["index_version"] == done.json()["index_version"] != before
    assert not answer["cached"]


async def test_a_bundle_for_another_model_is_refused(
    client: httpx.AsyncClient, trained: Path, tmp_path: Path
) -> None:
    model = another_model(trained / "model", tmp_path / "model")
    other = copied(trained / "bundle", tmp_path / "other", model)
    response = await client.post("/admin/index/reload", json={"bundle": str(other)}, headers=KEY)
    assert_one_sentence(response, 422)
    assert "another model" in response.json()["error"]


async def test_a_bundle_whose_model_was_replaced_is_refused(
    client: httpx.AsyncClient, trained: Path, tmp_path: Path
) -> None:
    """By one that differs in nothing but its numbers."""
    model = shutil.copytree(trained / "model", tmp_path / "model")
    bundle = copied(trained / "bundle", tmp_path / "bundle", model)
    ask = {"json": {"bundle": str(bundle)}, "headers": KEY}
    assert (await client.post("/admin/index/reload", **ask)).status_code == 200  # type: ignore[arg-type]
    shutil.rmtree(model)
    another_model(trained / "model", model)
    response = await client.post("/admin/index/reload", **ask)  # type: ignore[arg-type]
    assert_one_sentence(response, 422)
    assert f"{model} holds another model than {bundle}" in response.json()["error"]
    with pytest.raises(ModelError, match="set SEMCORE_MODEL"):
        Index(bundle)
    with pytest.raises(ModelError, match="set SEMCORE_MODEL"):
        Retrieval(Settings(bundle=trained / "bundle", model=model), FakeEngine)


async def test_metrics_and_openapi(client: httpx.AsyncClient) -> None:
    await search(client, query="counted once")
    text = (await client.get("/metrics")).text
    assert 'semcore_searches_total{direction="text-to-image",outcome="answered"}' in text
    assert "semcore_illegal_identifiers_total 0.0" in text
    schema = (await client.get("/openapi.json")).json()
    assert schema["paths"]["/search/image-to-text"]["post"]["requestBody"]["content"].keys() == {
        "application/json",
        "multipart/form-data",
    }
    assert schema["components"]["schemas"]["TextQuery"]["examples"]


async def test_a_dead_engine_shows(client: httpx.AsyncClient) -> None:
    retrieval = client._transport.app.state.retrieval  # type: ignore[attr-defined]
    retrieval._engine.engine.dead = True
    assert_one_sentence(await search(client, query="unheard"), 503)
    assert_one_sentence(await client.get("/healthz"), 503)
    retrieval._engine.engine.dead = False


async def test_pages_are_one_answer_in_parts(client: httpx.AsyncClient) -> None:
    options = {"beam_width": 30, "verify": "always"}
    whole = (await search(client, top_k=25, **options)).json()["items"]
    pages, cursor = [], None
    while len(pages) < 3:
        page = (await search(client, top_k=10, **options, cursor=cursor)).json()
        pages.append(page["items"])
        cursor = page["cursor"]
        if cursor is None:
            break
    items = [item for page in pages for item in page]
    assert [item["id"] for item in items[:25]] == [item["id"] for item in whole]
    assert [item["rank"] for item in items] == list(range(1, len(items) + 1))
    assert_one_sentence(await search(client, top_k=10, **options, cursor="none"), 422)
    first = (await search(client, top_k=10, **options)).json()["cursor"]
    assert_one_sentence(await search(client, top_k=11, **options, cursor=first), 422)


async def test_little_time_gives_less_and_says_so(client: httpx.AsyncClient) -> None:
    retrieval = client.app.state.retrieval  # type: ignore[attr-defined]
    engine, pace = retrieval._engine.engine, retrieval._searcher._pace
    whole = (await search(client, beam_width=40, query="a boat without haste")).json()
    assert whole["degraded"] is None
    assert pace._beam > 0
    assert pace._candidate > 0
    pace._beam = pace._candidate = 1.0  # as if it were so slow
    response = await search(client, beam_width=40, query="a hasty boat", timeout_ms=12_000)
    assert response.status_code == 200, response.text
    degraded = response.json()["degraded"]
    assert degraded["beam_width"] < 10
    assert degraded["verified"] == 0
    assert response.json()["items"]
    pace._beam = pace._candidate = 0.0
    # What there was no time for is not kept for those who have it.
    again = (await search(client, beam_width=40, query="a hasty boat")).json()
    assert again["degraded"] is None
    assert not again["cached"]
    engine.seconds_a_beam = 1.0
    assert_one_sentence(await search(client, query="too late a boat", timeout_ms=50), 408)
    engine.seconds_a_beam = 0.0
    await assert_serves(client)


async def test_too_many_are_sent_away_at_once(client: httpx.AsyncClient) -> None:
    engine = client.app.state.retrieval._engine.engine  # type: ignore[attr-defined]
    engine.seconds_a_beam = 0.01
    responses = await asyncio.gather(*(search(client, query=f"boat {n}") for n in range(300)))
    refused = [response for response in responses if response.status_code != 200]
    assert 0 < len(refused) < 300
    for response in refused:
        assert_one_sentence(response, 429)
        assert int(response.headers["Retry-After"]) >= 1
    engine.seconds_a_beam = 0.0
    await assert_serves(client)


async def test_many_searches_in_one_request(client: httpx.AsyncClient) -> None:
    image = base64.b64encode(picture()).decode()
    queries = [
        {"query": "two red boats", "top_k": 3},
        {"image": image, "top_k": 2},
        {"query": "a boat", "top_k": 10**6},
        {"image": "AAAA"},
    ]
    response = await client.post("/search/batch", json={"queries": queries})
    assert response.status_code == 200, response.text
    answers = response.json()["answers"]
    assert [len(answer.get("items", ())) for answer in answers] == [3, 2, 0, 0]
    assert [answer.get("status") for answer in answers] == [None, None, 422, 415]
    assert answers[0]["items"] == (await search(client, top_k=3)).json()["items"]
    assert_one_sentence(await client.post("/search/batch", json={"queries": []}), 422)
    assert_one_sentence(await client.post("/search/batch", json={"queries": [{"a": 1}]}), 422)


async def test_an_engine_that_fails_one_of_many_searches(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = client.app.state.retrieval._engine.engine  # type: ignore[attr-defined]
    find = engine.find

    async def failing(prompt: Prompt, *rest: Any, **named: Any) -> Found:
        if b"cursed" in bytes(prompt.tokens):
            raise EngineError("the engine has failed")
        found: Found = await find(prompt, *rest, **named)
        return found

    monkeypatch.setattr(engine, "find", failing)
    queries = [{"query": query, "top_k": 3} for query in ("a boat", "a cursed boat", "a dog")]
    response = await client.post("/search/batch", json={"queries": queries})
    assert response.status_code == 200, response.text
    first, failed, last = response.json()["answers"]
    assert failed == {"error": "the engine has failed", "status": 503}
    assert len(first["items"]) == len(last["items"]) == 3
