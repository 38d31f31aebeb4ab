"""Dead and stalled engines are found out, and slow ones are not taken for them."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from asking import asked
from fake_engine import FakeEngine
from living import running

from semcore.errors import EngineError
from service.errors import DeadlineError, ReloadError
from service.retrieval import Retrieval
from service.schemas.answer import SearchOptions

STALL = 0.3
PLAIN = SearchOptions(verify="never", timeout_ms=200)


def engine_of(retrieval: Retrieval) -> FakeEngine:
    assert retrieval._engine is not None
    engine = retrieval._engine.engine
    assert isinstance(engine, FakeEngine)
    return engine


async def is_lost(retrieval: Retrieval) -> str:
    for _ in range(100):
        try:
            await retrieval.check()
        except EngineError as error:
            return str(error)
        await asyncio.sleep(0.05)
    return ""


async def never(*_: object) -> list[float]:
    await asyncio.sleep(100)
    return []


async def test_a_stalled_engine_is_found_out(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "journal", stall_seconds=STALL) as retrieval:
        engine = engine_of(retrieval)
        engine.seconds_a_beam = 100.0

        engine.judge = never  # type: ignore[method-assign]
        with pytest.raises(DeadlineError):
            await asked(retrieval, "text-to-image", "a boat", PLAIN)
        assert "has not answered" in await is_lost(retrieval)
        with pytest.raises(EngineError, match="restart it"):
            await asked(retrieval, "text-to-image", "a boat", PLAIN)


async def test_nobody_waits_for_an_engine_that_is_lost(few: Path, tmp_path: Path) -> None:
    """Neither a search without a deadline nor a reload, after which another is possible."""
    settings = {"stall_seconds": STALL, "timeout_ms": 0}
    async with running(few, tmp_path / "journal", **settings) as retrieval:
        engine = engine_of(retrieval)
        engine.held = asyncio.Event()
        engine.judge = never  # type: ignore[method-assign]
        plain = SearchOptions(verify="never")
        waiting = [
            asyncio.create_task(asked(retrieval, "text-to-image", "a boat", plain)),
            asyncio.create_task(retrieval.lifecycle.reload(None)),
        ]
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in found] == [EngineError, ReloadError]
        assert all("has not answered" in str(one) for one in found)
        with pytest.raises(ReloadError):
            await retrieval.lifecycle.rollback()


async def test_a_client_that_went_is_no_stall(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "journal", stall_seconds=STALL) as retrieval:
        engine = engine_of(retrieval)
        engine.seconds_a_beam = 100.0
        with pytest.raises(DeadlineError):
            await asked(retrieval, "text-to-image", "a boat", PLAIN)
        engine.seconds_a_beam = 0.0
        await asyncio.sleep(4 * STALL)  # it owes an answer, and is asked once more
        await retrieval.check()
        assert await asked(retrieval, "text-to-image", "a boat", SearchOptions(verify="never"))


@pytest.mark.parametrize("ends", [False, True])
async def test_a_dead_engine_may_end_the_service(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    settings = {"stall_seconds": STALL, "exit_when_lost": ends}
    async with running(few, tmp_path / "journal", **settings) as retrieval:
        engine_of(retrieval).dead = True
        assert "has died" in await is_lost(retrieval)
        await asyncio.sleep(2 * STALL)
        assert raised == ([signal.SIGTERM] if ends else [])
