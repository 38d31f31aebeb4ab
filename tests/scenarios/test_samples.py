"""Whatever picture is sent is answered or refused, and nothing breaks; added ones are shown."""

import base64
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_engine import FakeEngine
from samples import KINDS, sample

from service.app import create_app
from service.settings import Settings


@pytest.fixture
async def client(trained: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Of a service whose changes go with the test."""
    settings = Settings(bundle=trained / "bundle", journal=tmp_path / "journal", admin_key="a-key")
    app = create_app(settings, FakeEngine)
    async with app.router.lifespan_context(app):
        await app.state.retrieval.ready.wait()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://test",
            headers={"X-API-Key": "a-key"},
        ) as opened:
            yield opened


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # of what is odd in damaged files
@pytest.mark.parametrize(
    "count", [4 * len(KINDS), pytest.param(1000, marks=pytest.mark.slow)], ids=["some", "1000"]
)
async def test_no_picture_breaks_anything(client: httpx.AsyncClient, count: int) -> None:
    tally: Counter[int] = Counter()
    wrong = []
    for number in range(count):
        one = sample(number)
        answer = await client.post("/search/image-to-text", files={"image": one.content})
        tally[answer.status_code] += 1
        right = (200, 413, 415) if one.refusable else (200,)
        if answer.status_code not in right:
            wrong.append(f"{number} {one.kind}: {answer.status_code} {answer.text[:90]}")
        if number % 20 == 0:
            item = {
                "id": f"sample {number}", "kind": "image", "captions": ["a boat"],
                "image": base64.b64encode(one.content).decode(),
            }  # fmt: skip
            added = await client.post("/admin/items", json={"items": [item]})
            shown = await client.get(f"/items/sample {number}/image?size=64")
            if (added.status_code, shown.status_code) not in ((200, 200), (415, 404)):
                wrong.append(f"{number} {one.kind}: {added.status_code}, {shown.status_code}")
    print(dict(tally))
    assert wrong == []
