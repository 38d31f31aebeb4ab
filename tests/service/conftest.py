"""The HTTP application on the fake engine."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fake_engine import FakeEngine
from living import metadata

from offline.binding import bind_bundle
from offline.build import BuildSettings, build_bundle
from offline.corpus import Corpus
from service.app import create_app
from service.settings import Settings

KEY = "a-key"


@pytest.fixture
async def client(trained: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        bundle=trained / "bundle", admin_key=KEY, max_image_pixels=1_000_000, queued_searches=20
    )
    app = create_app(settings, FakeEngine)
    async with app.router.lifespan_context(app):
        await app.state.retrieval.ready.wait()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
            opened.app = app  # type: ignore[attr-defined]
            yield opened


@pytest.fixture(scope="session")
def few(trained: Path, corpus: Corpus) -> Path:
    """A bundle of a few items with metadata, for the trained model."""
    pictures = [
        replace(picture, captions=picture.captions[:2], metadata=metadata(random.Random(number)))
        for number, picture in enumerate(corpus.pictures[:12])
    ]
    some = Corpus("few", corpus.image_root, pictures, [])
    path = trained / "few"
    build_bundle(some, path, BuildSettings(), like=trained / "bundle")
    bind_bundle(path, trained / "model")
    return path
