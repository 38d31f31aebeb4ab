"""A picture that asks is seen once, for the guide and for the model."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from engines import STARTS_VLLM, small_engine

from offline.corpus.corpus import Corpus
from semcore.guide.guide import TextGuide
from semcore.model.prompt import identifier_prompt
from semcore.pictures.picture import open_picture
from service.engine.protocol import Picture
from service.engine.vllm_engine import VllmEngine
from service.index.index import Index
from service.search.guidance import guidance, looked_at
from service.telemetry.stopwatch import Stopwatch
from service.traffic.deadline import Deadline

pytestmark = [*STARTS_VLLM, pytest.mark.asyncio(loop_scope="module")]
BEAMS = 4


@pytest.fixture(scope="module")
def index(guided: Path) -> Iterator[Index]:
    opened = Index(guided)
    yield opened
    opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(index: Index) -> AsyncIterator[VllmEngine]:
    async with small_engine(index, 3 * BEAMS, dtype="float32") as started:
        yield started


async def test_its_features_are_what_the_engine_would_see(
    engine: VllmEngine, index: Index, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = index.snapshot.side("text")
    assert side is not None
    guide = index.snapshot.guide
    assert isinstance(guide, TextGuide)
    for picture in corpus.pictures[:3]:
        image = open_picture(Path(corpus.image_root) / picture.image, 96)
        plain = Picture(image, picture.image)
        watch = Stopwatch()
        seen = await looked_at(index.snapshot, plain, watch, Deadline())
        assert isinstance(seen, Picture)
        assert "tokenise/see" in [span.path for span in watch.spans]
        answers = []
        for shown in (plain, seen):
            prompt = engine.prompt(identifier_prompt("image-to-text"), [shown])
            answers.append(await engine.find(prompt, side, BEAMS, constrained=True))
        first, second = ([(b.leaves, b.logprob) for b in a.beams] for a in answers)
        assert [leaves for leaves, _ in second] == [leaves for leaves, _ in first]
        np.testing.assert_allclose(
            [logprob for _, logprob in second], [logprob for _, logprob in first], atol=1e-3
        )
        told = await guidance(index.snapshot, side, plain)
        monkeypatch.setattr(guide, "_vision", lambda _: pytest.fail("it is seen twice"))
        again = await guidance(index.snapshot, side, seen)
        monkeypatch.undo()
        assert told is not None
        assert again is not None
        np.testing.assert_allclose(again.vector, told.vector, atol=1e-5)


async def test_without_time_it_goes_on_unseen(index: Index, corpus: Corpus) -> None:
    image = open_picture(Path(corpus.image_root) / corpus.pictures[0].image, 96)
    plain = Picture(image, "late")
    assert await looked_at(index.snapshot, plain, Stopwatch(), Deadline(0.0)) is plain
    assert await looked_at(index.snapshot, "a text", Stopwatch(), Deadline()) == "a text"
