"""The real service goes on answering right while its index and its items change."""

import asyncio
import base64
from pathlib import Path
from urllib.parse import quote

import httpx
from real_service import QUERIES, illegal_identifiers, queries_of

from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import ItemStore

RELOADS = 50
CLIENTS = 8


async def test_reloads_while_clients_search(service_url: str, trained: Path, smaller: Path) -> None:
    bundles = [smaller, trained / "bundle"]
    known: dict[str, set[str]] = {}
    for bundle in bundles:
        manifest = read_manifest(bundle)
        store = ItemStore(bundle / "items.sqlite", manifest.settings.gallery)
        known[manifest.version] = {
            item.id
            for split in manifest.settings.gallery
            for item in store.of_split(split, "image")
        }
        store.close()
    queries = queries_of(trained / "bundle", "text-to-image")
    done = asyncio.Event()
    searches: list[str] = []

    async def search(client: httpx.AsyncClient, number: int) -> None:
        turn = number
        while not done.is_set():
            query = f"{queries[turn % QUERIES].content} {turn}"  # no cached answers
            body = {"query": query, "beam_width": 5, "top_k": 20}
            response = await client.post("/search/text-to-image", json=body)
            assert response.status_code == 200, response.text
            answer = response.json()
            assert {item["id"] for item in answer["items"]} <= known[answer["index_version"]]
            searches.append(answer["index_version"])
            turn += CLIENTS

    async def reload(client: httpx.AsyncClient) -> None:
        for number in range(RELOADS):
            bundle = bundles[number % 2]
            response = await client.post(
                "/admin/index/reload",
                json={"bundle": str(bundle)},
                headers={"X-API-Key": "secret"},
            )
            assert response.status_code == 200, response.text
            assert response.json()["index_version"] == read_manifest(bundle).version
        done.set()

    async with httpx.AsyncClient(base_url=service_url, timeout=120) as client:
        before = await illegal_identifiers(client)
        async with asyncio.TaskGroup() as group:
            group.create_task(reload(client))
            for number in range(CLIENTS):
                group.create_task(search(client, number))
        assert set(searches) == set(known)
        assert await illegal_identifiers(client) == before


async def test_items_come_and_go_and_searches_are_filtered(service_url: str, trained: Path) -> None:
    """What the fake engine is tested with at length, once on the real one."""
    key = {"X-API-Key": "secret"}
    captions = ["zebras on a purple bridge", "three zebras cross a bridge", "a zebra and a kite"]
    items = [
        {"id": f"new {n}", "kind": "text", "captions": [caption], "metadata": {"number": n}}
        for n, caption in enumerate(captions)
    ]
    picture = next((trained.parent).glob("corpus*/images/**/*.png")).read_bytes()

    async def found(wanted: dict[str, object] | None = None) -> list[str]:
        options = {"top_k": 60, "beam_width": 60, **({"filter": wanted} if wanted else {})}
        body = {"image": base64.b64encode(picture).decode(), **options}
        response = await client.post("/search/image-to-text", json=body)
        assert response.status_code == 200, response.text
        return [item["id"] for item in response.json()["items"]]

    async with httpx.AsyncClient(base_url=service_url, timeout=120) as client:
        before = await illegal_identifiers(client)
        version = (await client.get("/admin/index", headers=key)).json()["current"]["version"]
        response = await client.post("/admin/items", json={"items": items}, headers=key)
        assert response.status_code == 200, response.text
        assert set(response.json()["identifiers"]) == {"new 0", "new 1", "new 2"}
        high = {"field": "number", "gte": 1}
        assert set(await found(high)) == {"new 1", "new 2"}
        others = await found({"not": {"field": "number", "gte": 0}})
        assert len(others) == 60
        assert not any(name.startswith("new") for name in others)
        await client.delete("/admin/items/new%201", headers=key)
        assert await found(high) == ["new 2"]
        assert (await client.get("/items/new%201")).status_code == 404
        gone = others[0]
        response = await client.delete(f"/admin/items/{quote(gone, safe='')}", headers=key)
        assert response.status_code == 200, response.text
        assert gone not in await found()
        for name in ("new 0", "new 2"):
            await client.delete(f"/admin/items/{quote(name)}", headers=key)
        assert await found(high) == []
        assert await illegal_identifiers(client) == before
        text = {"id": gone, "kind": "text", "captions": ["a boat"], "metadata": {}}
        await client.post("/admin/items", json={"items": [text]}, headers=key)
        after = (await client.get("/admin/index", headers=key)).json()["current"]
        assert after["version"] != version
        assert (after["added"], after["deleted"]) == (1, 1)
