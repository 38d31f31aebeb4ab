"""Queries of the trained corpus, and the real service asked with them over HTTP."""

from pathlib import Path

import httpx

from offline.training.candidates import Query
from semcore.bundle.item import ItemStore
from semcore.kind import Direction

BEAM_WIDTH = 20
QUERIES = 100  # of each direction


def queries_of(bundle: Path, direction: Direction) -> list[Query]:
    store = ItemStore(bundle / "items.sqlite", ("train", "val", "test"))
    kind = "text" if direction == "text-to-image" else "image"
    found = [
        Query(direction, item.caption if kind == "text" else item.image, item.pair)
        for item in store
        if item.kind == kind and (item.held_out or kind == "image")
    ]
    store.close()
    return found[:QUERIES]


async def ask(client: httpx.AsyncClient, query: Query, root: Path, **options: object) -> object:
    fields = {"beam_width": BEAM_WIDTH, "top_k": BEAM_WIDTH, **options}
    if query.direction == "text-to-image":
        body = {"query": query.content, **fields}
        response = await client.post("/search/text-to-image", json=body)
    else:
        files = {"image": (root / query.content).read_bytes()}
        data = {name: str(value).lower() for name, value in fields.items()}
        response = await client.post("/search/image-to-text", data=data, files=files)
    assert response.status_code == 200, response.text
    return response.json()


async def illegal_identifiers(client: httpx.AsyncClient) -> float:
    """What the service has counted; only searches without the constraint may add to it."""
    lines = (await client.get("/metrics")).text.splitlines()
    name = "semcore_illegal_identifiers_total "
    return float(next(line for line in lines if line.startswith(name)).removeprefix(name))
