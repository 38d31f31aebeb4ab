"""The service without HTTP: ready after its start, cached, and loyal to the index that works."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from asking import asked
from cancelling import cancelled
from fake_engine import FakeEngine
from PIL import Image

from semcore.errors import EngineError
from service.engine.protocol import Engine, Found
from service.errors import NotReadyError, ReloadError
from service.retrieval import Retrieval
from service.schemas.answer import SearchAnswer, SearchOptions
from service.settings import Settings

OPTIONS = SearchOptions(top_k=3)


async def search(
    retrieval: Retrieval, query: str | bytes, options: SearchOptions = OPTIONS
) -> SearchAnswer:
    direction = "text-to-image" if isinstance(query, str) else "image-to-text"
    return SearchAnswer.model_validate_json(await asked(retrieval, direction, query, options))


async def _fail(*_: object, **__: object) -> SearchAnswer:
    raise EngineError("killed by a test")


@pytest.fixture
async def retrieval(trained: Path) -> AsyncIterator[Retrieval]:
    opened = Retrieval(Settings(bundle=trained / "bundle"), FakeEngine)
    await opened.start()
    yield opened
    await opened.stop()


async def test_refuses_searches_until_it_is_warm(trained: Path) -> None:
    cold = Retrieval(Settings(bundle=trained / "bundle"), FakeEngine)
    with pytest.raises(NotReadyError, match="readyz"):
        await asked(cold, "text-to-image", "a boat", OPTIONS)
    await cold.stop()


async def test_stops_an_engine_that_was_still_starting(trained: Path) -> None:
    begun, over = Event(), Event()
    engines: list[FakeEngine] = []

    def slowly(model: Path, settings: Settings) -> FakeEngine:
        begun.set()
        over.wait()
        engines.append(FakeEngine(model, settings))
        return engines[0]

    cold = Retrieval(Settings(bundle=trained / "bundle"), slowly)
    starting = asyncio.create_task(cold.start())
    async with cancelled(starting, begun, over):
        pass
    await cold.stop()
    assert [engine.dead for engine in engines] == [True]


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
    first = await search(retrieval, "a boat")
    again = await search(retrieval, " a  boat ")
    other = await search(retrieval, "a boat", SearchOptions(top_k=2))
    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert again.items == first.items
    assert len(other.items) == 2


async def test_equal_searches_at_the_same_time_are_one(
    retrieval: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert retrieval._engine is not None
    find, calls = retrieval._engine.find, 0

    async def counted(*arguments: Any, **options: Any) -> Found:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        return await find(*arguments, **options)

    monkeypatch.setattr(retrieval._engine, "find", counted)
    answers = await asyncio.gather(*(search(retrieval, "a boat") for _ in range(1000)))
    assert calls == 1
    assert all(answer.items == answers[0].items for answer in answers)


async def test_a_search_that_fails_is_not_kept(
    retrieval: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(retrieval._searcher, "search", _fail)
        with pytest.raises(EngineError):
            await search(retrieval, "a boat")
    assert not (await search(retrieval, "a boat")).cached


async def test_a_picture_from_the_cache_is_not_decoded(
    retrieval: Retrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG")
    first = await search(retrieval, content.getvalue())
    monkeypatch.setattr("service.retrieval.check_upload", None)
    again = await search(retrieval, content.getvalue())
    assert again.cached
    assert again.items == first.items


async def test_keeps_the_old_index_when_the_new_one_is_none(
    retrieval: Retrieval, tmp_path: Path
) -> None:
    before = retrieval.lifecycle.current
    with pytest.raises(ReloadError):
        await retrieval.lifecycle.reload(tmp_path / "none")
    assert retrieval.lifecycle.current is before
    assert (await search(retrieval, "a boat")).items


async def test_a_reload_serves_the_other_bundle(retrieval: Retrieval, smaller: Path) -> None:
    before = retrieval.lifecycle.current.bundle.version
    answer = await retrieval.lifecycle.reload(smaller)
    assert answer.previous_version == before != answer.index_version
    found = await search(retrieval, "a boat")
    assert found.index_version == answer.index_version
