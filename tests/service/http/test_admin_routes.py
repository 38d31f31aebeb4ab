"""Who has the key changes what can be found, and a bundle that is not sound changes nothing."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_engine import FakeEngine
from manifests import copied
from models import another_model
from searching import assert_one_sentence, assert_serves, client_of, search

from semcore.errors import ModelError
from service.index.index import Index
from service.retrieval import Retrieval
from service.settings import Settings

KEY = {"X-API-Key": "a-key"}


@pytest.fixture
async def living(few: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an administrator, of a service with a journal of its own."""
    settings = Settings(bundle=few, journal=tmp_path / "journal", admin_key="a-key")
    async with client_of(settings, "a-key") as opened:
        yield opened


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


async def test_the_status_tells_what_serves_and_what_was_refused(
    living: httpx.AsyncClient, tmp_path: Path
) -> None:
    version = (await living.get("/readyz")).json()["index_version"]
    before = (await living.get("/admin/index")).json()
    assert before["current"]["version"] == version
    assert (before["previous"], before["loading"], before["failed"]) == (None, None, None)
    assert before["replicas"] == []
    assert_one_sentence(await living.post("/admin/index/rollback"), 422)
    body = {"bundle": str(tmp_path / "none")}
    assert_one_sentence(await living.post("/admin/index/reload", json=body), 422)
    failed = (await living.get("/admin/index")).json()["failed"]
    assert (failed["bundle"], failed["stage"]) == (str(tmp_path / "none"), "refused")


async def test_items_are_added_and_deleted(living: httpx.AsyncClient) -> None:
    name = "a new/text"
    item = {"id": name, "kind": "text", "captions": ["two red boats at night"]}
    added = await living.post("/admin/items", json={"items": [item]})
    assert added.status_code == 200, added.text
    found = (await living.get("/items/a%20new%2Ftext")).json()
    assert found["identifier"]["text"] == added.json()["identifiers"][name]
    version = (await living.get("/readyz")).json()["index_version"]
    assert version == added.json()["index_version"]
    deleted = await living.delete("/admin/items/a%20new%2Ftext")
    assert deleted.json()["identifiers"] == {}
    assert_one_sentence(await living.get("/items/a%20new%2Ftext"), 404)
    assert_one_sentence(await living.delete("/admin/items/a%20new%2Ftext"), 404)
    assert_one_sentence(await living.post("/admin/items", json={"items": []}), 422)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/admin/index/reload", {}),
        ("POST", "/admin/index/rollback", None),
        ("POST", "/admin/items", {"items": [{"id": "a", "kind": "text", "captions": ["a"]}]}),
        ("DELETE", "/admin/items/a", None),
    ],
)
async def test_nothing_is_changed_with_an_engine_that_is_lost(
    living: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    engine = living.app.state.retrieval._engine.engine  # type: ignore[attr-defined]
    engine.dead = True
    refused = await living.request(method, path, json=body)
    assert_one_sentence(refused, 503)
    engine.dead = False
    assert (await living.get("/admin/index")).json()["journal"] == 0
