"""Pictures are decoded within a turn, a few at a time, as small as a model sees them, and once."""

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from elsewhere import PLACES, moved
from fake_engine import FakeEngine
from PIL import Image

from semcore.pictures.picture import open_picture
from semcore.pictures.picture_source import PictureSource
from service.app import create_app
from service.errors import DeadlineError, OverloadedError
from service.index.index import Index
from service.search import decoder as module
from service.search.decoder import Decoder
from service.search.query_image import Upload, read_upload
from service.search.searcher import Searcher, SearchParameters
from service.settings import Settings
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline

PARAMETERS = SearchParameters(top_k=5, beam_width=4, verify="never", constrained=True)


def encoded(size: tuple[int, int] = (60, 40)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (9, 90, 190)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def index(trained: Path) -> Iterator[Index]:
    opened = Index(trained / "bundle")
    yield opened
    opened.close()


async def test_nothing_is_decoded_before_its_turn(
    trained: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def counted(content: bytes, most: int, side: int) -> object:
        decoded.append(content)
        return read_upload(content, most, side)

    monkeypatch.setattr(module, "read_upload", counted)
    engine = FakeEngine(trained / "model", Settings())
    engine.held = asyncio.Event()
    searcher = Searcher(engine, 4, Admission(2, 8))
    uploads = [Upload(encoded((60, 40 + number))) for number in range(10)]
    tasks = [
        asyncio.create_task(searcher.search(index.snapshot, "image-to-text", one, PARAMETERS))
        for one in uploads
    ]
    while engine.under_way < 2:
        await asyncio.sleep(0.01)
    with pytest.raises(OverloadedError):
        await searcher.search(index.snapshot, "image-to-text", Upload(encoded()), PARAMETERS)
    assert len(decoded) == 2
    engine.held.set()
    await asyncio.gather(*tasks)
    assert len(decoded) == 10


async def test_a_deadline_ends_decoding(
    trained: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = threading.Event()
    monkeypatch.setattr(module, "read_upload", lambda *_: end.wait())
    searcher = Searcher(FakeEngine(trained / "model", Settings()), 4, Admission(1, 0))
    try:
        with pytest.raises(DeadlineError, match="before the image was decoded"):
            await searcher.search(
                index.snapshot, "image-to-text", Upload(b""), PARAMETERS, deadline=Deadline(0.05)
            )
    finally:
        end.set()
    await searcher.search(index.snapshot, "text-to-image", "a boat", PARAMETERS)


async def test_a_picture_of_an_item_is_decoded_once(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def counted(source: PictureSource, side: int) -> Image.Image:
        opened.append(source)
        return open_picture(source, side)

    monkeypatch.setattr(module, "open_picture", counted)
    items = list(index.bundle.store.of_split("test", "image"))[:5]
    decoder = Decoder()
    for _ in range(3):  # the first time, four ask at the same time
        found = await asyncio.gather(
            *(decoder.picture(index.snapshot, item) for item in items for _ in range(4))
        )
        assert all(one is not None for one in found)
    assert len(opened) == len(items)
    image = found[0].image if found[0] else None
    assert image is not None
    two = Decoder(kept_bytes=2 * 4 * image.width * image.height)
    opened.clear()
    for _ in range(2):
        for item in items:
            assert await two.picture(index.snapshot, item) is not None
    assert len(opened) == 2 * len(items)  # those that were kept had to go again
    assert two._bytes <= 2 * 4 * image.width * image.height


@pytest.mark.parametrize("place", PLACES)
async def test_decodes_what_is_no_file_by_itself(
    untrained: Path, tmp_path: Path, place: str
) -> None:
    index = Index(untrained)
    lost, item = list(index.bundle.store.of_split("test", "image"))[:2]
    there = Index(moved(untrained, tmp_path / "bundle", place, [lost.id]))
    decoder = Decoder()

    async def pixels(index: Index, item_id: str) -> bytes | None:
        item = index.snapshot.get(item_id)
        assert item is not None
        found = await decoder.picture(index.snapshot, item)
        return None if found is None or found.image is None else found.image.tobytes()

    assert await pixels(there, item.id) == await pixels(index, item.id) is not None
    assert await pixels(there, lost.id) is None
    index.close()
    there.close()


async def test_uploads_beyond_the_budget_are_sent_away(trained: Path) -> None:
    out = io.BytesIO()
    Image.effect_noise((600, 400), 90).save(out, "PNG")
    content = out.getvalue()
    settings = Settings(
        bundle=trained / "bundle", bodies_bytes=3 * len(content) + 9_000, cache_size=0
    )
    app = create_app(settings, FakeEngine)
    async with app.router.lifespan_context(app):
        await app.state.retrieval.ready.wait()
        engine: FakeEngine = app.state.retrieval._engine.engine
        engine.held = asyncio.Event()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

            async def search(number: int) -> httpx.Response:
                files = {"image": content + bytes([number])}
                return await client.post("/search/image-to-text", files=files)

            waiting = [asyncio.create_task(search(number)) for number in range(3)]
            while engine.under_way < 3:
                await asyncio.sleep(0.01)
            refused = await search(4)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 1
            text = asyncio.create_task(
                client.post("/search/text-to-image", json={"query": "a boat"})
            )
            engine.held.set()
            assert {one.status_code for one in await asyncio.gather(*waiting, text)} == {200}
            assert (await search(5)).status_code == 200
