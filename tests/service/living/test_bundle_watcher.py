"""The watch goes on, whatever a reload ends with."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from living import running
from manifests import copied

from semcore.bundle.bundle import read_manifest
from service.schemas.admin import ReloadAnswer

SETTINGS = {"watch_seconds": 0.05, "canary_margin": 1.0}


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1200):
        if is_so():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it has not come to that")


def replaced(bundle: Path, by: Path) -> str:
    """The version of the bundle that takes its place."""
    shutil.rmtree(bundle)
    copied(by, bundle)
    return read_manifest(bundle).version


async def test_goes_on_where_there_was_no_room(
    trained: Path, smaller: Path, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = copied(trained / "bundle", tmp_path / "bundle")
    async with running(bundle, tmp_path / "journal", **SETTINGS) as retrieval:
        lifecycle = retrieval.lifecycle
        with monkeypatch.context() as patched:
            patched.setattr(tempfile, "tempdir", str(tmp_path / "none"))
            replaced(bundle, smaller)
            await until(lambda: lifecycle.status().failed is not None)
        version = replaced(bundle, few)
        await until(lambda: lifecycle.current.bundle.version == version)


async def test_goes_on_after_a_fault_of_the_service(
    trained: Path, smaller: Path, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = 0

    async def fail(_: Path | None) -> ReloadAnswer:
        nonlocal faults
        faults += 1
        raise RuntimeError("a fault made by a test")

    bundle = copied(trained / "bundle", tmp_path / "bundle")
    async with running(bundle, tmp_path / "journal", **SETTINGS) as retrieval:
        with monkeypatch.context() as patched:
            patched.setattr(retrieval.lifecycle, "reload", fail)
            replaced(bundle, smaller)
            await until(lambda: faults > 0)
        version = replaced(bundle, few)
        await until(lambda: retrieval.lifecycle.current.bundle.version == version)
