"""Who has the key changes what can be found, and a bundle that is not sound changes nothing."""

import shutil
from pathlib import Path

import httpx
import pytest
from fake_engine import FakeEngine
from manifests import copied
from models import another_model
from searching import assert_one_sentence, assert_serves, search

from semcore.errors import ModelError
from service.index.index import Index
from service.retrieval import Retrieval
from service.settings import Settings

KEY = {"X-API-Key": "a-key"}


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
