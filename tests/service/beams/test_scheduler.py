"""Searches share the engine: more than fit at a time, prompts read in parts, clients that leave."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engines import LONGEST, STARTS_VLLM, small_engine

from semcore.errors import EngineError
from semcore.model.prompt import identifier_prompt
from service.beams.side import Side
from service.engine.protocol import Found, Prompt
from service.engine.vllm_engine import VllmEngine
from service.errors import InvalidQueryError
from service.index.index import Index

pytestmark = STARTS_VLLM

BEAM_WIDTH = 12
ROWS = 30
CAPTIONS = [
    f"a {size} {colour} {thing} beside the {place} {number}"
    for number, (size, colour, thing, place) in enumerate(
        [("small", "red", "boat", "tree"), ("large", "blue", "car", "house")] * 8
    )
]


def test_what_else_vllm_says_of_a_request_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 0.33 calls with a second argument what 0.32 calls with one."""
    from vllm.v1.core.sched.scheduler import Scheduler

    from service.beams.scheduler import BeamScheduler

    told: list[Any] = []

    def hit(_: Scheduler, *args: object, **more: object) -> str:
        told.append((args, more))
        return "found"

    monkeypatch.setattr(Scheduler, "_get_local_prefix_cache_hit", hit)
    scheduler: Any = object.__new__(BeamScheduler)
    scheduler._inherited, scheduler._weighing_of = {"row": ("blocks", 7)}, {}
    other: Any = SimpleNamespace(request_id="other", sampling_params=None)
    assert scheduler._get_local_prefix_cache_hit(other, 16, is_new=True) == "found"
    assert scheduler._get_local_prefix_cache_hit(other) == "found"
    assert told == [((other, 16), {"is_new": True}), ((other,), {})]
    row: Any = SimpleNamespace(request_id="row")
    assert scheduler._get_local_prefix_cache_hit(row, 16) == ("blocks", 7, 0, False)


@pytest.fixture
def index(trained: Path) -> Iterator[Index]:
    opened = Index(trained / "bundle")
    yield opened
    opened.close()


@pytest.fixture
async def engine(index: Index) -> AsyncIterator[VllmEngine]:
    # Two searches at a time, and a step reads fewer tokens than their prompts have.
    async with small_engine(index, ROWS, max_num_batched_tokens=ROWS) as started:
        yield started


def longest_of(found: Found, index: Index, engine: VllmEngine) -> int:
    """Tokens of the longest identifier that was found."""
    side = index.snapshot.side("image")
    assert side is not None
    numbers = [side.layers.items_of(beam.leaves)[0] for beam in found.beams]
    return max(len(engine.spell(item.identifier)) for item in index.snapshot.items(numbers))


async def test_searches_share_the_engine(engine: VllmEngine, index: Index, tmp_path: Path) -> None:
    side = index.snapshot.side("image")
    assert side is not None

    async def find(caption: str) -> Found:
        prompt = engine.prompt(identifier_prompt("text-to-image", caption))
        return await engine.find(prompt, side, BEAM_WIDTH, constrained=True)

    alone = [await find(caption) for caption in CAPTIONS]
    assert all(len(found.beams) == BEAM_WIDTH for found in alone)
    # A search takes no more steps than its identifiers have tokens, and fewer where the beams have
    # no choice left.
    lengths = [longest_of(found, index, engine) for found in alone]
    steps = [len(found.steps) for found in alone]
    assert all(took <= length for took, length in zip(steps, lengths, strict=True))
    assert sum(steps) < sum(lengths)

    # 1. All at once find the same, among other requests that want a place in the batch.
    judging = asyncio.create_task(
        engine.judge([engine.prompt(f"{caption}\nMatch?") for caption in CAPTIONS * 3])
    )
    together = await asyncio.gather(*(find(caption) for caption in CAPTIONS))
    assert len(await judging) == 3 * len(CAPTIONS)
    for one, other in zip(alone, together, strict=True):
        expected = [beam.logprob for beam in one.beams]
        assert [beam.logprob for beam in other.beams] == pytest.approx(expected, abs=1e-3)
        assert {b.leaves for b in one.beams[:5]} == {b.leaves for b in other.beams[:5]}
    assert any(found.queued > 0 for found in together)

    # 2. Clients that leave, some before their search has begun, disturb nobody.
    tasks = [asyncio.create_task(find(f"{caption} again")) for caption in CAPTIONS]
    await asyncio.sleep(0.05)
    for task in tasks[::2]:
        task.cancel()
    left = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(found, Found) for found in left[1::2])
    assert any(isinstance(found, asyncio.CancelledError) for found in left[::2])

    # 3. Nothing is left behind: every block of the cache is free again.
    await find(CAPTIONS[0])
    assert await engine.llm.reset_prefix_cache()

    # 4. More beams than the vocabulary has tokens, or than the batch has rows.
    wide = await engine.find(
        engine.prompt(identifier_prompt("text-to-image", CAPTIONS[0])),
        side,
        500,
        constrained=True,
    )
    assert len(wide.beams) == ROWS
    best = [beam.logprob for beam in alone[0].beams[:3]]
    assert [beam.logprob for beam in wide.beams[:3]] >= best

    # 5. Where all identifiers in reach are scored at once none of the beams' is likelier.
    engine.leaf_limit = 4 * ROWS  # more than the batch has room for
    scored = await asyncio.gather(*(find(caption) for caption in CAPTIONS[:4]))
    engine.leaf_limit = 0
    for one, other in zip(alone, scored, strict=False):
        assert len(other.steps) < len(one.steps)
        for beam, leaf in zip(one.beams, other.beams, strict=True):
            assert leaf.logprob >= beam.logprob - 1e-3
    assert await engine.llm.reset_prefix_cache()

    # 6. A prompt that leaves no room for an identifier is refused, and the engine lives on.
    with pytest.raises(InvalidQueryError, match="too long"):
        await find("boat " * LONGEST)
    # Were it not refused here, the engine would say so.
    tokens = engine.prompt(identifier_prompt("text-to-image", CAPTIONS[0])).tokens
    long = Prompt((*tokens, *tokens, *tokens, *tokens, *tokens)[: LONGEST - 3])
    roomy: Any = SimpleNamespace(depth=1)
    with pytest.raises(EngineError, match="could not finish"):
        await engine.find(long, Side(roomy, side.files), BEAM_WIDTH, constrained=True)
    assert len((await find(CAPTIONS[1])).beams) == BEAM_WIDTH

    # 7. Where files of the index are gone, only that search ends: first of many, then alone.
    gone = Side(side.layers, ((str(tmp_path / "gone"), ""),))
    prompt = engine.prompt(identifier_prompt("text-to-image", CAPTIONS[0]))
    tasks = [asyncio.create_task(find(f"{caption} once more")) for caption in CAPTIONS]
    for _ in range(2):
        with pytest.raises(EngineError, match="could not finish"):
            await engine.find(prompt, gone, BEAM_WIDTH, constrained=True)
        assert all(len(found.beams) == BEAM_WIDTH for found in await asyncio.gather(*tasks))
    assert len((await find(CAPTIONS[1])).beams) == BEAM_WIDTH
