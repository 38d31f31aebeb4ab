"""Each kind of bad input gets its status and one sentence; good input goes on being served."""

import asyncio
import base64
import io
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from elsewhere import PLACES, moved, put
from PIL import Image
from searching import assert_one_sentence, assert_serves, client_of, search, upload

from offline.evaluation.calibration import calibrate
from semcore.bundle.bundle import ITEMS, read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.errors import EngineError
from service.engine.protocol import Found, Prompt
from service.settings import Settings


def picture(size: tuple[int, int] = (64, 64), kind: str = "PNG", frames: int = 1) -> bytes:
    images = [Image.new("RGB", size, (40 * n, 90, 160)) for n in range(frames)]
    out = io.BytesIO()
    extra = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(out, kind, **extra)
    return out.getvalue()


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
        {"min_score": -0.1},
        {"min_score": 1.1},
        {"min_score": "likely"},
    ],
)
async def test_refuses_bad_text_queries(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert_one_sentence(await search(client, **body), 422)
    await assert_serves(client)


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
        "facets",
        "filter",
        "queue",
        "tokenise",
        "beams",
        "guide",
        "items",
        "likelihood",
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


def pictures_of_test(bundle: Path) -> tuple[list[Item], Path]:
    store = ItemStore(bundle / ITEMS, ("test",))
    found = list(store.of_split("test", "image"))
    store.close()
    return found, Path(read_manifest(bundle).corpus.image_root)


@pytest.mark.parametrize("place", PLACES)
async def test_shows_pictures_that_are_no_files_by_themselves(
    untrained: Path, tmp_path: Path, place: str
) -> None:
    (lost, *others), root = pictures_of_test(untrained)
    bundle = moved(untrained, tmp_path / "bundle", place, [lost.id])
    async with client_of(Settings(bundle=bundle)) as client:
        for item in others[:3]:
            whole = await client.get(f"/items/{item.id}/image")
            assert whole.content == (root / item.image).read_bytes()
            small = await client.get(f"/items/{item.id}/image", params={"size": 64})
            assert Image.open(io.BytesIO(small.content)).size == (64, 64)
        assert (await client.get(f"/items/{lost.id}")).status_code == 200
        for size in ({}, {"size": 64}):
            missing = await client.get(f"/items/{lost.id}/image", params=size)
            assert_one_sentence(missing, 404)
            assert str(tmp_path) not in missing.text


async def test_the_root_of_the_pictures_may_be_a_url(untrained: Path, tmp_path: Path) -> None:
    (item, lost, *_), root = pictures_of_test(untrained)
    content = (root / item.image).read_bytes()
    url, _ = put("url", {item.image: content}, tmp_path)
    settings = Settings(bundle=untrained, journal=tmp_path / "journal", image_root=url)
    async with client_of(settings) as client:
        assert (await client.get(f"/items/{item.id}/image")).content == content
        assert_one_sentence(await client.get(f"/items/{lost.id}/image"), 404)


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


async def test_an_index_that_knows_how_likely_items_are(untrained: Path, tmp_path: Path) -> None:
    """Uncalibrated it says what mends that; calibrated it answers with nothing where nothing
    fits."""
    bundle = tmp_path / "bundle"
    shutil.copytree(untrained, bundle)
    async with client_of(Settings(bundle=bundle, journal=tmp_path / "journal")) as client:
        refused = await search(client, min_score=0.5)
        assert_one_sentence(refused, 422)
        assert "semcore calibrate" in refused.json()["error"]
        assert {item["probability"] for item in (await search(client)).json()["items"]} == {None}
    await calibrate("http://127.0.0.1:9", bundle)
    async with client_of(Settings(bundle=bundle, journal=tmp_path / "journal")) as client:
        found = (await search(client)).json()["items"]
        likely = [item["probability"] for item in found]
        assert likely == sorted(likely, reverse=True)
        assert len((await search(client, min_score=likely[2])).json()["items"]) == 3
        far = await search(client, query="The auditor signed the annual accounts.", min_score=0.2)
        assert far.status_code == 200
        assert (far.json()["items"], far.json()["cursor"]) == ([], None)
        page = (await search(client, top_k=2, min_score=likely[2])).json()
        rest = (await search(client, top_k=2, min_score=likely[2], cursor=page["cursor"])).json()
        assert [item["id"] for item in rest["items"]] == [found[2]["id"]]
        assert rest["cursor"] is None
        alike = await client.post("/search/similar", json={"id": "x", "min_score": 0.5})
        assert_one_sentence(alike, 422)
        assert "min_score" in alike.json()["error"]
        batch = {"queries": [{"query": "a boat", "min_score": 1.0}]}
        (answer,) = (await client.post("/search/batch", json=batch)).json()["answers"]
        assert answer["items"] == []
