"""More like this, over HTTP: by the id of an item and by a picture, in an index that changes."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from searching import ADMIN, administered, assert_one_sentence, client_of, search

from offline.corpus.corpus import Corpus
from semcore.bundle.bundle import ITEMS
from semcore.bundle.item import ItemStore
from service.settings import Settings

PATH = "/search/similar"


@pytest.fixture(params=["guided", "untrained"])
async def client(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    bundle = request.getfixturevalue(request.param)
    async with client_of(administered(bundle, tmp_path)) as opened:
        yield opened


@pytest.fixture
def item_id(guided: Path) -> str:
    store = ItemStore(guided / ITEMS, ("test",))
    found = next(store.of_split("test", "image")).id
    store.close()
    return found


def png(colour: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(content, "PNG")
    return content.getvalue()


async def found(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def add(client: httpx.AsyncClient, *items: dict[str, Any]) -> None:
    added = await client.post("/admin/items", json={"items": items}, headers=ADMIN)
    assert added.status_code == 200, added.text


async def test_pages_by_the_id_of_an_item(client: httpx.AsyncClient, item_id: str) -> None:
    whole = await found(client, id=item_id, top_k=20)
    assert {item["kind"] for item in whole["items"]} == {"image"}
    assert whole["guide"] == "only"
    first = await found(client, id=item_id, top_k=10)
    second = await found(client, id=item_id, top_k=10, cursor=first["cursor"])
    assert [*first["items"], *second["items"]] == whole["items"]
    assert item_id not in [item["id"] for item in whole["items"]]
    other = {"id": item_id, "top_k": 10, "kind": "text", "cursor": first["cursor"]}
    assert_one_sentence(await client.post(PATH, json=other), 422)
    texts = await found(client, id=item_id, kind="text")
    assert {item["kind"] for item in texts["items"]} == {"text"}


async def test_a_repeat_comes_from_the_cache(client: httpx.AsyncClient, item_id: str) -> None:
    first, again = [await found(client, id=item_id, top_k=3) for _ in range(2)]
    assert (first["cached"], again["cached"]) == (False, True)
    assert first["items"] == again["items"]
    for other in ({"kind": "text"}, {"diversity": 0.5}, {"fold_duplicates": True}, {"top_k": 4}):
        assert not (await found(client, **{"id": item_id, "top_k": 3, **other}))["cached"]


async def test_what_is_added_and_deleted(client: httpx.AsyncClient) -> None:
    words = "A zeppelin above the harbour."
    twins = [{"id": f"text {n}", "kind": "text", "captions": [words]} for n in range(3)]
    await add(client, *twins)
    items = (await found(client, id="text 0"))["items"]
    assert [item["id"] for item in items[:2]] == ["text 1", "text 2"]
    assert items[0]["cosine"] == pytest.approx(1)
    assert "text 0" not in [item["id"] for item in items]
    folded = (await found(client, id="text 0", fold_duplicates=True))["items"]
    assert folded[0]["id"] == "text 1"
    assert folded[0]["duplicates"] == ["text 2"]
    assert folded[0]["duplicate_count"] == 1
    assert (await client.delete("/admin/items/text 1", headers=ADMIN)).status_code == 200
    items = (await found(client, id="text 0"))["items"]
    assert items[0]["id"] == "text 2"
    assert "text 1" not in [item["id"] for item in items]
    assert_one_sentence(await client.post(PATH, json={"id": "text 1"}), 404)


async def test_an_item_of_the_bundle_that_was_deleted(
    client: httpx.AsyncClient, item_id: str
) -> None:
    near = (await found(client, id=item_id))["items"][0]["id"]
    assert (await client.delete(f"/admin/items/{near}", headers=ADMIN)).status_code == 200
    assert near not in [item["id"] for item in (await found(client, id=item_id))["items"]]
    assert_one_sentence(await client.post(PATH, json={"id": near}), 404)


async def test_by_a_picture(guided: Path, tmp_path: Path, corpus: Corpus) -> None:
    async with client_of(administered(guided, tmp_path)) as client:
        content = (Path(corpus.image_root) / corpus.pictures[0].image).read_bytes()
        image = base64.b64encode(content).decode()
        sent = await found(
            client, image=image, top_k=5, filter={"not": {"field": "a", "equals": 1}}
        )
        assert {item["kind"] for item in sent["items"]} == {"image"}
        form = {"top_k": "5", "filter": '{"not": {"field": "a", "equals": 1}}'}
        loaded = await client.post(PATH, files={"image": content}, data=form)
        assert loaded.json()["items"] == sent["items"]
        assert loaded.json()["cached"]
        named = await client.post(PATH, files={"image": content}, data={"id": "a"})
        assert_one_sentence(named, 422)
        assert_one_sentence(await client.post(PATH, files={"image": b"none"}), 415)
        # It is not the item of that name, if there should be one.
        picture = {"kind": "image", "captions": ["a red square"]}
        await add(client, {"id": "red", "image": base64.b64encode(png("red")).decode(), **picture})
        assert (await found(client, id="red"))["items"]


@pytest.mark.parametrize(
    "body",
    [{}, {"id": "a", "image": "AAAA"}, {"id": ""}, {"id": 7}, {"id": "a", "kind": "sound"},
     {"id": "a", "diversity": 1.1}, {"id": "a", "top_k": 10**6}, {"id": "a", "beam_width": 3},
     {"image": "?!"}],
)  # fmt: skip
async def test_refuses_what_it_does_not_know(untrained: Path, body: dict[str, Any]) -> None:
    async with client_of(Settings(bundle=untrained)) as client:
        assert_one_sentence(await client.post(PATH, json=body), 422)


async def test_an_index_that_cannot_compare_says_so(
    trained: Path, untrained: Path, item_id: str
) -> None:
    async with client_of(Settings(bundle=trained / "bundle")) as plain:
        assert_one_sentence(await plain.post(PATH, json={"id": item_id}), 422)
        for wanted in ({"diversity": 0.5}, {"fold_duplicates": True}):
            refused = await search(plain, **wanted)
            assert_one_sentence(refused, 422)
            assert "build the index with one" in refused.json()["error"]
    async with client_of(Settings(bundle=untrained)) as blind:
        assert_one_sentence(await blind.post(PATH, files={"image": png("red")}), 422)
