"""A bundle that was never trained is searched by its guide alone."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from searching import (
    ADMIN,
    KEY,
    administered,
    assert_one_sentence,
    client_of,
    search,
    upload,
)

from offline.bundle.build import BuildSettings, build_bundle
from offline.bundle.compaction import compact_bundle
from offline.corpus.corpus import Corpus
from semcore.bundle.bundle import ITEMS
from semcore.bundle.item import ItemStore
from semcore.errors import BundleError
from service.index.index import Index
from service.settings import Settings


@pytest.fixture
async def client(untrained: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(administered(untrained, tmp_path)) as opened:
        yield opened


async def items(client: httpx.AsyncClient, **body: Any) -> list[dict[str, Any]]:
    answer = await search(client, **body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["guide"] == "only"
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_held_out_text_finds_its_picture(
    client: httpx.AsyncClient, untrained: Path
) -> None:
    store = ItemStore(untrained / ITEMS, ("test",))
    texts = [item for item in store.of_split("test", "text") if item.held_out][:20]
    store.close()
    found = [await items(client, query=text.caption, top_k=5) for text in texts]
    right = [
        text.pair in [item["id"] for item in five] for text, five in zip(texts, found, strict=True)
    ]
    assert sum(right) >= 15


async def test_filters_and_pages(client: httpx.AsyncClient) -> None:
    every = await items(client, top_k=12)
    first = (await search(client, top_k=5)).json()
    second = await items(client, top_k=5, cursor=first["cursor"])
    assert [item["id"] for item in every[5:10]] == [item["id"] for item in second]
    nothing = {"field": "none", "equals": 1}
    assert (await search(client, filter=nothing)).json()["items"] == []
    same = await items(client, top_k=12, filter={"not": nothing})
    assert [item["id"] for item in same] == [item["id"] for item in every]


async def test_what_needs_a_model_says_so(client: httpx.AsyncClient, corpus: Corpus) -> None:
    assert_one_sentence(await search(client, guide="none"), 422)
    content = (Path(corpus.image_root) / corpus.pictures[0].image).read_bytes()
    assert_one_sentence(await upload(client, content), 422)


async def test_it_is_told_on_every_page(client: httpx.AsyncClient, guided: Path) -> None:
    status = (await client.get("/admin/index", headers=ADMIN)).json()
    assert status["current"]["guide"]["alone"] is True
    for place in ("/", "/explore", "/evaluate", "/admin"):
        assert 'id="untrained"' in (await client.get(place)).text
    async with client_of(Settings(bundle=guided, admin_key=KEY)) as trained:
        assert 'id="untrained"' not in (await trained.get("/")).text
        status = (await trained.get("/admin/index", headers=ADMIN)).json()
        assert status["current"]["guide"]["alone"] is False


async def test_added_and_deleted(
    client: httpx.AsyncClient, untrained: Path, tmp_path: Path
) -> None:
    text = {"id": "told", "kind": "text", "captions": ["A zeppelin above the harbour."]}
    added = await client.post("/admin/items", json={"items": [text]}, headers=ADMIN)
    assert added.status_code == 200, added.text
    gone = (await items(client, top_k=1))[0]["id"]
    assert (await client.delete(f"/admin/items/{gone}", headers=ADMIN)).status_code == 200
    assert gone not in [item["id"] for item in await items(client, top_k=100)]
    out = tmp_path / "compacted"
    compact_bundle(untrained, tmp_path / "journal", out)
    async with client_of(administered(out, tmp_path / "fresh")) as after:
        assert gone not in [item["id"] for item in await items(after, top_k=100)]
        assert (await after.get("/items/told")).status_code == 200


def test_neither_model_nor_guide(corpus: Corpus, tmp_path: Path) -> None:
    build_bundle(corpus, tmp_path / "bundle", BuildSettings(clusters=8), guide=None)
    with pytest.raises(BundleError, match="neither a model nor a guide"):
        Index(tmp_path / "bundle")


def test_no_engine_is_started(untrained: Path, tmp_path: Path) -> None:
    """Nor is vLLM even imported."""
    program = f"""
import asyncio, sys
from pathlib import Path
from service.retrieval import Retrieval
from service.settings import Settings
async def run():
    settings = Settings(bundle=Path({str(untrained)!r}), journal=Path({str(tmp_path)!r}))
    retrieval = Retrieval(settings)
    await retrieval.start()
    await retrieval.stop()
asyncio.run(run())
assert not any(name.partition(".")[0] == "vllm" for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
