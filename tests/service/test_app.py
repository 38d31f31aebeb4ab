"""The application answers from its start, and says what went wrong in one sentence."""

from pathlib import Path
from threading import Event

import httpx
import pytest
from fake_engine import FakeEngine
from fastapi import FastAPI
from searching import assert_one_sentence

from semcore.errors import BundleError
from service.app import create_app
from service.settings import Settings


async def asked(app: FastAPI, method: str, path: str) -> httpx.Response:
    # What was not foreseen goes on to the log, after the answer.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path)


async def test_lives_while_the_model_loads(few: Path, tmp_path: Path) -> None:
    may_start = Event()

    def slowly(model: Path, settings: Settings) -> FakeEngine:
        assert may_start.wait(60)
        return FakeEngine(model, settings)

    app = create_app(Settings(bundle=few, journal=tmp_path / "journal"), slowly)
    async with app.router.lifespan_context(app):
        try:
            assert (await asked(app, "GET", "/healthz")).status_code == 200
            assert_one_sentence(await asked(app, "GET", "/readyz"), 503)
        finally:
            may_start.set()
        await app.state.retrieval.ready.wait()
        assert (await asked(app, "GET", "/readyz")).status_code == 200
    assert not app.state.retrieval.ready.is_set()


async def test_does_not_start_with_a_bundle_that_cannot_be_served(tmp_path: Path) -> None:
    app = create_app(Settings(bundle=tmp_path / "none"), FakeEngine)
    with pytest.raises(BundleError):
        async with app.router.lifespan_context(app):
            pass


async def test_what_the_framework_refuses_is_one_sentence_too(tmp_path: Path) -> None:
    app = create_app(Settings(bundle=tmp_path / "none"), FakeEngine)
    assert_one_sentence(await asked(app, "GET", "/nowhere"), 404)
    wrong = await asked(app, "DELETE", "/readyz")
    assert_one_sentence(wrong, 405)
    assert wrong.headers["allow"] == "GET"


async def test_what_nobody_foresaw_is_named_and_left_to_the_log(tmp_path: Path) -> None:
    app = create_app(Settings(bundle=tmp_path / "none"), FakeEngine)

    @app.get("/odd")
    async def odd() -> None:
        raise ZeroDivisionError("a secret of the log")

    answer = await asked(app, "GET", "/odd")
    assert_one_sentence(answer, 500)
    assert "ZeroDivisionError" in answer.json()["error"]
    assert "secret" not in answer.text


async def test_says_which_field_is_wrong(client: httpx.AsyncClient) -> None:
    wrong = await client.post("/search/text-to-image", json={"query": "a boat", "top_k": 0})
    assert_one_sentence(wrong, 422)
    assert wrong.json()["error"].startswith("top_k: ")


async def test_refuses_a_body_that_is_no_json(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/search/text-to-image", content=b"{", headers=headers)
    assert_one_sentence(response, 400)


async def test_the_contract_is_there(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    assert schema["paths"]["/search/image-to-text"]["post"]["requestBody"]["content"].keys() == {
        "application/json",
        "multipart/form-data",
    }
    assert schema["components"]["schemas"]["TextQuery"]["examples"]
