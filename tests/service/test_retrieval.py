"""The service without HTTP: ready after its start, cached, and loyal to the index that works."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from semcore.errors import EngineError
from service.answer import SearchOptions
from service.engine import Engine
from service.errors import NotReadyError, ReloadError
from service.retrieval import Retrieval
from service.settings import Settings

OPTIONS = SearchOptions(top_k=3)


@pytest.fixture
async def retrieval(trained: Path) -> AsyncIterator[Retrieval]:
    opened = Retrieval(Settings(bundle=trained / "bundle"), FakeEngine)
    await opened.start()
    yield opened
    await opened.stop()


async def test_refuses_searches_until_it_is_warm(trained: Path) -> None:
    cold = Retrieval(Settings(bundle=trained / "bundle"), FakeEngine)
    with pytest.raises(NotReadyError, match="readyz"):
        await cold.search("text-to-image", "a boat", OPTIONS)
    await cold.stop()


async def test_says_why_the_engine_did_not_start(trained: Path) -> None:
    def fail(_model: Path, _settings: Settings) -> Engine:
        raise EngineError("no memory")

    cold = Retrieval(Settings(bundle=trained / "bundle"), fail)
    with pytest.raises(EngineError):
        await cold.start()
    assert str(cold.failure) == "no memory"
    assert not cold.ready.is_set()
    await cold.stop()


async def test_answers_the_same_query_from_the_cache(retrieval: Retrieval) -> None:
    first = await retrieval.search("text-to-image", "a boat", OPTIONS)
    again = await retrieval.search("text-to-image", " a  boat ", OPTIONS)
    other = await retrieval.search("text-to-image", "a boat", SearchOptions(top_k=2))
    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert again.items == first.items
    assert len(other.items) == 2


async def test_garbage_in_the_cache_is_searched_anew(
    retrieval: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def garbage(_: str) -> bytes:
        return b"\x00 no answer"

    monkeypatch.setattr(retrieval._cache, "get", garbage)
    answer = await retrieval.search("text-to-image", "a boat", OPTIONS)
    assert not answer.cached
    assert len(answer.items) == 3


async def test_keeps_the_old_index_when_the_new_one_is_none(
    retrieval: Retrieval, tmp_path: Path
) -> None:
    before = retrieval.index
    with pytest.raises(ReloadError):
        await retrieval.reload(tmp_path / "none")
    assert retrieval.index is before
    assert (await retrieval.search("text-to-image", "a boat", OPTIONS)).items


async def test_a_reload_serves_the_other_bundle(retrieval: Retrieval, smaller: Path) -> None:
    before = retrieval.index.version
    answer = await retrieval.reload(smaller)
    assert answer.previous_version == before != answer.index_version
    found = await retrieval.search("text-to-image", "a boat", OPTIONS)
    assert found.index_version == answer.index_version
