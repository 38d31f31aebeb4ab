"""A guide is evidence beside the beams: in answers, in a living index, and in a compacted one."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from searching import (
    ADMIN,
    KEY,
    administered,
    assert_one_sentence,
    client_of,
    search,
    upload,
)

from offline.bundle.compaction import compact_bundle
from offline.corpus.corpus import Corpus
from semcore.bundle.bundle import ITEMS, check_bundle, read_manifest
from semcore.bundle.item import ItemStore
from semcore.guide.cells import Cells
from semcore.guide.vectors import CAPTIONS, VectorTable, unit
from semcore.journal.journal import Journal
from service.settings import Settings


@pytest.fixture
async def client(guided: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(administered(guided, tmp_path)) as opened:
        yield opened


def caption_of(guided: Path) -> tuple[str, str]:
    store = ItemStore(guided / ITEMS, ("test",))
    item = next(store.of_split("test", "image"))
    store.close()
    return item.id, item.caption


async def found(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await search(client, **body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_what_the_guide_says_is_told(client: httpx.AsyncClient, guided: Path) -> None:
    """The fake engine knows nothing: by its beams alone the picture comes by chance."""
    item_id, caption = caption_of(guided)
    answer = await found(client, query=caption, top_k=60, verify="never", explain=True)
    assert answer["guide"] == "evidence"
    assert answer["items"][0]["id"] == item_id
    assert answer["items"][0]["cosine"] == max(item["cosine"] for item in answer["items"])
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    # What the guide alone has found was spelled by no beam, and is scored all the same.
    alone = [item for item in answer["items"] if not item["path"]]
    assert 0 < len(alone) < len(answer["items"])
    assert all(item["logprob"] is not None for item in answer["items"])
    assert answer["timings"]["guide"] > 0
    assert answer["timings"]["likelihood"] > 0


async def test_without_it_all_is_as_it_was(
    client: httpx.AsyncClient, trained: Path, guided: Path
) -> None:
    """The same identifiers, built without a guide: the order and the log-probabilities of it."""
    _, caption = caption_of(guided)
    asked = {"query": caption, "top_k": 40, "guide": "none", "describe": True, "commonness": True}
    mine = await found(client, **asked)
    async with client_of(Settings(bundle=trained / "bundle")) as plain:
        theirs = await found(plain, **asked)
    assert mine["guide"] == theirs["guide"] == "none"
    assert mine["items"] == theirs["items"]
    assert all(item["cosine"] is None for item in mine["items"])


async def test_the_guide_alone(client: httpx.AsyncClient, guided: Path) -> None:
    item_id, caption = caption_of(guided)
    answer = await found(client, query=caption, top_k=10, guide="only")
    assert answer["guide"] == "only"
    assert not answer["verified"]
    assert answer["items"][0]["id"] == item_id
    cosines = [item["cosine"] for item in answer["items"]]
    assert cosines == sorted(cosines, reverse=True)
    assert [item["score"] for item in answer["items"]] == pytest.approx(cosines)
    assert all(item["logprob"] is None for item in answer["items"])
    second = await found(client, query=caption, top_k=10, guide="only", cursor=answer["cursor"])
    assert [item["rank"] for item in second["items"]] == list(range(11, 21))
    assert second["items"][0]["cosine"] <= cosines[-1]


async def test_a_setting_is_what_queries_leave_out(guided: Path, tmp_path: Path) -> None:
    async with client_of(administered(guided, tmp_path, guide="none")) as plain:
        assert (await found(plain))["guide"] == "none"
        assert (await found(plain, guide="only"))["guide"] == "only"


async def test_an_index_without_a_guide_says_so(trained: Path) -> None:
    async with client_of(Settings(bundle=trained / "bundle", admin_key=KEY)) as plain:
        assert (await found(plain))["guide"] == "none"
        assert_one_sentence(await search(plain, guide="only"), 422)
        told = (await plain.get("/admin/index", headers=ADMIN)).json()
        assert told["current"]["guide"] is None


async def test_a_picture_asks_by_what_the_model_sees(
    client: httpx.AsyncClient, corpus: Corpus
) -> None:
    content = (Path(corpus.image_root) / corpus.pictures[0].image).read_bytes()
    answer = await upload(client, content, guide="only", top_k="5")
    assert answer.status_code == 200, answer.text
    cosines = [item["cosine"] for item in answer.json()["items"]]
    assert cosines == sorted(cosines, reverse=True)
    assert (await upload(client, content)).json()["guide"] == "evidence"


@pytest.fixture(params=[False, True], ids=["looks at each", "descends"])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the items are too many to look at each."""
    if request.param:
        monkeypatch.setattr("service.index.visible_items.EXACT_UP_TO", 10)
    return bool(request.param)


@pytest.mark.usefixtures("many")
async def test_what_is_added_has_a_vector(guided: Path, tmp_path: Path) -> None:
    async with client_of(administered(guided, tmp_path)) as client:
        await _add_and_delete(client)


async def _add_and_delete(client: httpx.AsyncClient) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(picture, "PNG")
    item = {
        "id": "new", "kind": "image", "captions": ["A zeppelin above the harbour."],
        "image": base64.b64encode(picture.getvalue()).decode(),
    }  # fmt: skip
    text = {"id": "told", "kind": "text", "captions": ["A zeppelin above the harbour."]}
    for one in (item, text):
        added = await client.post("/admin/items", json={"items": [one]}, headers=ADMIN)
        assert added.status_code == 200, added.text
    answer = await found(client, query="a zeppelin over a harbour", guide="only")
    assert answer["items"][0]["id"] == "new"
    gone = await client.delete("/admin/items/new", headers=ADMIN)
    assert gone.status_code == 200
    after = await found(client, query="a zeppelin over a harbour", guide="only")
    assert after["items"][0]["id"] != "new"


async def test_compaction_carries_vectors_over(guided: Path, tmp_path: Path, many: bool) -> None:
    text = {"id": "told", "kind": "text", "captions": ["A zeppelin above the harbour."]}
    gone, _ = caption_of(guided)
    async with client_of(administered(guided, tmp_path)) as client:
        await client.post("/admin/items", json={"items": [text]}, headers=ADMIN)
        await client.delete(f"/admin/items/{gone}", headers=ADMIN)
        before = await found(client, query="a zeppelin over a harbour", guide="only", top_k=30)
    (entry,) = [
        change.entry
        for change in Journal(tmp_path / "journal").changes(read_manifest(guided).held)
        if change.entry
    ]
    assert entry.guide == read_manifest(guided).guide.fingerprint  # type: ignore[union-attr]
    out = guided.with_name(f"compacted guided {many}")
    compact_bundle(guided, tmp_path / "journal", out)
    check_bundle(out)
    for name in (CAPTIONS, "vectors.npy"):
        old, new = VectorTable(guided, name).rows, VectorTable(out, name).rows
        stores = [ItemStore(path / ITEMS, ()) for path in (guided, out)]
        numbers = [{item.id: n for n, item in enumerate(store)} for store in stores]
        for store in stores:
            store.close()
        assert numbers[1].keys() == {*numbers[0], "told"} - {gone}
        kept = sorted(numbers[0].keys() & numbers[1].keys())
        assert (
            old[[numbers[0][one] for one in kept]] == new[[numbers[1][one] for one in kept]]
        ).all()
        assert unit(new[[numbers[1]["told"]]]).any()
        assert numbers[1]["told"] in Cells.load(out, "text").items
    async with client_of(administered(out, tmp_path / "fresh")) as client:
        after = await found(client, query="a zeppelin over a harbour", guide="only", top_k=30)
    assert [one["id"] for one in after["items"]] == [one["id"] for one in before["items"]]
