"""Reloads that are refused say why, and what was announced by the status is what happened."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from living import running
from manifests import copied

from semcore.bundle import read_manifest, staged
from service.errors import ReloadError
from service.retrieval import Retrieval


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


async def until_version(retrieval: Retrieval, version: str) -> None:
    for _ in range(200):
        if retrieval.lifecycle.current.version == version:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it was not served")
