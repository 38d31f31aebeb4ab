"""Reloads that are refused say why, and what was announced by the status is what happened."""

import asyncio
import json
import logging
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from asking import asked
from cancelling import cancelled
from living import new_item, running
from manifests import copied

from semcore.bundle.bundle import read_manifest, staged
from semcore.errors import BundleError
from semcore.model.training_record import LearnedGsv
from service.errors import ReloadError
from service.index.index import Index
from service.retrieval import Retrieval
from service.schemas.answer import SearchAnswer, SearchOptions
from service.settings import Settings


async def test_the_status_tells_what_happened(trained: Path, smaller: Path, tmp_path: Path) -> None:
    async with running(trained / "bundle", tmp_path / "journal", canary_margin=1.0) as retrieval:
        lifecycle = retrieval.lifecycle
        first = lifecycle.status()
        assert first.previous is None
        assert first.current.canary is not None
        assert set(first.current.canary) == {"text-to-image", "image-to-text"}
        with pytest.raises(ReloadError, match="no previous index"):
            await lifecycle.rollback()
        answer = await lifecycle.reload(smaller)
        after = lifecycle.status()
        assert after.current.version == answer.index_version
        assert after.previous is not None
        assert after.previous.version == first.current.version
        assert after.loading is None
        with pytest.raises(ReloadError, match="cannot be read"):
            await lifecycle.reload(tmp_path / "none")
        failed = lifecycle.status().failed
        assert failed is not None
        assert "cannot be read" in failed.reason
        await lifecycle.rollback()
        assert lifecycle.status().current.version == first.current.version


async def test_an_index_is_served_in_the_form_that_its_model_has_learned(
    trained: Path, tmp_path: Path
) -> None:
    lists = copied(trained / "bundle", tmp_path / "lists", gsv=LearnedGsv(form="listwise"))
    for bundle, gsv in ((lists, "pointwise"), (trained / "bundle", "listwise")):
        with pytest.raises(BundleError, match=f"not {gsv}; set SEMCORE_GSV to auto"):
            Retrieval(Settings(bundle=bundle, journal=tmp_path / "j", gsv=gsv))  # type: ignore[arg-type]
    options = SearchOptions(verify="always")
    for gsv, few in (("auto", 2), ("listwise", 12)):
        async with running(lists, tmp_path / "j", gsv=gsv, verified=few) as retrieval:
            found = await asked(retrieval, "text-to-image", "a red boat", options)
            answer = SearchAnswer.model_validate_json(found)
            assert answer.verified
            assert answer.items[0].odds is not None
            assert retrieval.lifecycle.engine_settings.verified == max(few, 10)
    async with running(trained / "bundle", tmp_path / "k", verified=2) as retrieval:
        assert retrieval.lifecycle.engine_settings.verified == 2


async def test_a_worse_index_is_refused(trained: Path, tmp_path: Path) -> None:
    """Its canaries ask for pictures that it does not show."""
    worse = copied(trained / "bundle", tmp_path / "worse")
    manifest = read_manifest(worse)
    canary = json.loads((worse / "canary.json").read_text())
    pairs = [query["pair"] for query in canary]
    for query, pair in zip(canary, reversed(pairs), strict=True):
        query["pair"] = pair
    with staged(worse, manifest) as stage:
        for name in manifest.files:
            shutil.copy2(worse / name, stage / name)
        (stage / "canary.json").write_text(json.dumps(canary))
    async with running(trained / "bundle", tmp_path / "journal", canary_margin=0.0) as retrieval:
        before = retrieval.lifecycle.current
        recall = retrieval.lifecycle.status().current.canary
        assert recall is not None
        assert max(recall.values()) > 0
        with pytest.raises(ReloadError, match="canary queries"):
            await retrieval.lifecycle.reload(worse)
        assert retrieval.lifecycle.current is before


async def test_a_journal_that_cannot_be_pruned_stops_no_reload(
    few: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        await retrieval.writer.add([new_item(random.Random(0), "new")])
        connection = retrieval._journal._file._connection
        assert connection is not None
        connection.execute("PRAGMA query_only = 1")
        with caplog.at_level(logging.WARNING, "semcore"):
            answer = await retrieval.lifecycle.reload(None)
        assert "stay in the journal" in caplog.text
        assert retrieval.lifecycle.status().failed is None
        assert await version_found(retrieval) == answer.index_version


async def test_an_index_serves_on_where_its_reload_is_cancelled(
    trained: Path, smaller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = Event(), Event()

    def prune(*_: object, **__: object) -> None:
        begun.set()
        over.wait()

    async with running(trained / "bundle", tmp_path / "journal", canary_margin=1.0) as retrieval:
        monkeypatch.setattr(retrieval._journal, "prune", prune)
        reload = asyncio.create_task(retrieval.lifecycle.reload(smaller))
        async with cancelled(reload, begun, over):
            pass
        assert retrieval.lifecycle.status().failed is None
        assert await version_found(retrieval) == read_manifest(smaller).version


async def test_an_index_that_nobody_wants_any_more_is_closed(
    trained: Path, smaller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over, closed = Event(), Event(), Event()
    async with running(trained / "bundle", tmp_path / "journal") as retrieval:
        open_index = retrieval.lifecycle._open

        def slowly(bundle: Path) -> Index:
            begun.set()
            over.wait()
            index = open_index(bundle)
            monkeypatch.setattr(index, "close", partial(_noted, index.close, closed))
            return index

        monkeypatch.setattr(retrieval.lifecycle, "_open", slowly)
        reload = asyncio.create_task(retrieval.lifecycle.reload(smaller))
        async with cancelled(reload, begun, over):
            assert not closed.is_set()
        assert await asyncio.to_thread(closed.wait, 60)


def _noted(close: Callable[[], None], closed: Event) -> None:
    close()
    closed.set()


async def test_what_was_announced_is_not_what_lies_there_by_now(
    trained: Path, smaller: Path, tmp_path: Path
) -> None:
    async with running(trained / "bundle", tmp_path / "journal") as retrieval:
        before = retrieval.lifecycle.current
        with pytest.raises(ReloadError, match="holds the index"):
            await retrieval.lifecycle.serve(smaller, "another")
        with pytest.raises(ReloadError, match="is no bundle"):
            await retrieval.lifecycle.serve(tmp_path / "none", "another")
        assert retrieval.lifecycle.current is before


async def test_a_watched_bundle_is_served_when_it_changes(
    trained: Path, smaller: Path, tmp_path: Path
) -> None:
    bundle = copied(trained / "bundle", tmp_path / "bundle")
    wanted = read_manifest(smaller).version
    settings = {"watch_seconds": 0.05, "canary_margin": 1.0}
    async with running(bundle, tmp_path / "journal", **settings) as retrieval:
        await asyncio.sleep(0.2)
        assert retrieval.lifecycle.status().failed is None
        shutil.rmtree(bundle)
        await asyncio.sleep(0.2)
        copied(smaller, bundle)
        await until_version(retrieval, wanted)


async def version_found(retrieval: Retrieval) -> str:
    """That of the index that a search finds something in."""
    found = await asked(retrieval, "text-to-image", "a boat", SearchOptions(top_k=1))
    answer = SearchAnswer.model_validate_json(found)
    assert answer.items
    return answer.index_version


async def until_version(retrieval: Retrieval, version: str) -> None:
    for _ in range(1200):
        if retrieval.lifecycle.current.bundle.version == version:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it was not served")
