"""A repeated request gets the cached answer, under the same rules as the first."""

import base64
import io
import logging
from pathlib import Path

import httpx
import pytest
from fake_engine import FakeEngine
from PIL import Image
from prometheus_client import REGISTRY

from service.app import create_app
from service.http.response_cache import AnswerRepeats, _Known
from service.schemas.answer import SearchOptions
from service.search.request import question
from service.settings import Settings

PATH = "/search/text-to-image"
QUERY = {"query": "two boats", "top_k": 3}


def hits() -> float:
    return REGISTRY.get_sample_value("semcore_cache_lookups_total", {"result": "hit"}) or 0.0


@pytest.fixture
def read(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of requests that the application has read itself."""
    paths: list[str] = []
    app = client.app  # type: ignore[attr-defined]
    layer = app.middleware_stack or app.build_middleware_stack()
    app.middleware_stack = layer
    while not isinstance(layer, AnswerRepeats):
        layer = getattr(layer, "app", None) or layer._app
    inner = layer._app

    async def noting(scope, receive, send):  # type: ignore[no-untyped-def]
        paths.append(scope["path"])
        await inner(scope, receive, send)

    monkeypatch.setattr(layer, "_app", noting)
    return paths


async def test_a_repeat_is_answered_unread(
    client: httpx.AsyncClient, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = await client.post(PATH, json=QUERY)
    before = hits()
    with caplog.at_level(logging.INFO, "semcore.requests"):
        second = await client.post(PATH, json=QUERY, headers={"X-Request-ID": "again"})
    assert read == [PATH]
    assert hits() == before + 1
    assert second.json() == {**first.json(), "cached": True, "timings": {}}
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["x-request-id"] == "again"
    assert caplog.messages == [f"POST {PATH}"]
    # Another request for the same is read, and answered from the cache all the same.
    assert (await client.post(PATH, json={**QUERY, "verify": "auto"})).json()["cached"]
    assert len(read) == 2


async def test_pictures_in_json_are_repeats_too(client: httpx.AsyncClient, read: list[str]) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    query = {"image": base64.b64encode(picture.getvalue()).decode()}
    answers = [await client.post("/search/image-to-text", json=query) for _ in range(2)]
    assert [answer.json()["cached"] for answer in answers] == [False, True]
    assert len(read) == 1


@pytest.mark.parametrize(
    "own", [{"profile": True}, {"trace": ["x"]}, {"query": "", "top_k": 3}, {"top_k": 0}]
)
async def test_what_is_not_kept_is_read_each_time(
    client: httpx.AsyncClient, read: list[str], own: dict[str, object]
) -> None:
    answers = [await client.post(PATH, json={**QUERY, **own}) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code
    assert len(read) == 2


async def test_pages_are_read_each_time(client: httpx.AsyncClient, read: list[str]) -> None:
    cursor = (await client.post(PATH, json=QUERY)).json()["cursor"]
    pages = [await client.post(PATH, json={**QUERY, "cursor": cursor}) for _ in range(2)]
    assert pages[0].json()["items"] == pages[1].json()["items"]
    assert len(read) == 3


async def test_a_dead_engine_answers_no_repeats(client: httpx.AsyncClient) -> None:
    await client.post(PATH, json=QUERY)
    client.app.state.retrieval._engine.engine.dead = True  # type: ignore[attr-defined]
    assert (await client.post(PATH, json=QUERY)).status_code == 503


@pytest.mark.usefixtures("within_a_minute")
async def test_a_repeat_needs_a_key(guarded: httpx.AsyncClient) -> None:
    async def status(**headers: str) -> int:
        return (await guarded.post(PATH, json=QUERY, headers=headers)).status_code

    assert await status(Authorization="Bearer seeker") == 200
    assert await status(Authorization="Bearer seeker") == 200
    assert await status() == 401
    assert await status(Authorization="Basic seeker") == 401
    assert await status(**{"X-API-Key": "none"}) == 401
    for sound in (
        {"Authorization": "bearer  seeker"},
        {"X-API-Key": "seeker"},
        {"X-API-Key": "", "Authorization": "Bearer seeker"},
    ):
        assert await status(**sound) == 200
    # Each counts against the rate once.
    assert [await status(**{"X-API-Key": "rare"}) for _ in range(4)] == [200, 200, 200, 429]


async def test_memory_is_bounded() -> None:
    known = _Known(most=3)
    asked = question("text-to-image", "a boat", SearchOptions(), Settings())
    for number in range(5):
        known.put(bytes([number]), (asked, None), 10)
        known.get(b"\x01")
    assert [known.get(bytes([number])) is not None for number in range(5)] == [
        False, True, False, True, True,
    ]  # fmt: skip
    known.put(b"large", (asked, None), 4 * 2**20)
    assert known.get(b"large") is not None
    assert known.get(b"\x04") is None


async def test_a_body_beyond_the_limit_is_told_so(trained: Path) -> None:
    app = create_app(Settings(bundle=trained / "bundle", max_body_bytes=1000), FakeEngine)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            assert (await opened.post(PATH, json={"query": 3000 * "a"})).status_code == 413
