"""Searches share the engine: more than fit at a time, prompts read in parts, clients that leave."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engines import LONGEST, STARTS_VLLM, small_engine
from stepping import LONGEST as LONGEST_ROW
from stepping import RunnerV2, greedy, request_of, run_all, run_step, scheduler_of
from vllm.lora.request import LoRARequest
from vllm.multimodal.inputs import MultiModalFeatureSpec, PlaceholderRange
from vllm.v1.core.encoder_cache_manager import EncoderCacheManager
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.engine import EngineCoreOutput, FinishReason
from vllm.v1.request import Request
from walks import random_walk

from semcore.errors import EngineError
from semcore.model.prompt import identifier_prompt
from service.beams.scheduler import search_argument
from service.beams.side import Side
from service.beams.weighing import RESULT
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


def searches(folder: Path, count: int = 4, **more: Any) -> list[Request]:
    """Of one walk, each with its prompt."""
    random_walk(1).save(folder / "image")
    argument = search_argument(((str(folder / "image"), ""),), 5, constrained=True)
    return [
        request_of(f"search {n}", range(n, n + 9), greedy(LONGEST_ROW, argument), **more)
        for n in range(count)
    ]


def found_by(last: dict[str, EngineCoreOutput]) -> dict[str, list[Any]]:
    assert all(one.kv_transfer_params for one in last.values())
    results = {name: (one.kv_transfer_params or {})[RESULT] for name, one in last.items()}
    return {name: [one["leaves"], one["logprobs"]] for name, one in results.items()}


def test_no_token_is_a_placeholder_and_no_block_is_cached_at_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since version 0.33 the scheduler itself counts placeholders down, and caches blocks where
    there were any, or drafts."""
    seen = []

    def update(self: Scheduler, request: Request, *args: Any, **more: Any) -> Any:
        seen.append((request.num_output_placeholders, self.num_spec_tokens))
        return ours(self, request, *args, **more)

    ours = Scheduler._update_request_with_output
    monkeypatch.setattr(Scheduler, "_update_request_with_output", update)
    assert len(run_all(scheduler_of(12, 26, 16, two=True), RunnerV2(12), searches(tmp_path))) == 4
    assert seen
    assert set(seen) == {(0, 0)}


def test_a_request_that_stops_does_not_go_on(tmp_path: Path) -> None:
    """Version 0.33 puts those that go on into a queue later than 0.32; ours never do, and each is
    in one place."""
    scheduler, runner = scheduler_of(12, 26, 16, two=True), RunnerV2(12)
    for request in searches(tmp_path):
        scheduler.add_request(request)
    steps = 0
    done: list[str] = []
    while len(done) < 4 and steps < 100:
        told = run_step(scheduler, runner)
        done += [one.request_id for one in told if one.finish_reason is not None]
        held = [*scheduler.running, *scheduler.waiting, *scheduler.kv_holding_waiting]
        names = [request.request_id for request in held]
        assert sorted(names) == sorted(scheduler.requests)
        assert not any(request.resumable for request in held)
        steps += 1
    assert len(done) == 4


def test_rows_that_rest_do_not_use_adapters_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 0.33 counts the adapters of all that run, where 0.32 counts those of a step."""
    counts = []

    def schedule(self: Scheduler, *args: Any, **more: Any) -> Any:
        used = {one.lora_request.lora_int_id for one in self.running if one.lora_request}
        assert len(used) <= self.lora_config.max_loras
        counts.append(len(used))
        return ours(self, *args, **more)

    ours = Scheduler.schedule
    monkeypatch.setattr(Scheduler, "schedule", schedule)
    scheduler = scheduler_of(12, 100, 16, two=True)
    scheduler.lora_config = SimpleNamespace(max_loras=1)
    adapter = LoRARequest("adapter", 1, "/nowhere")
    asked = searches(tmp_path, lora_request=adapter)
    assert len(run_all(scheduler, RunnerV2(12), asked)) == 4
    assert max(counts) == 1


@pytest.mark.parametrize("blocks", [100, 30])
def test_a_row_that_is_put_back_keeps_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    """Version 0.33 puts a request back of which nothing can be computed, and goes on with those
    behind it, where 0.32 stops."""
    alone = found_by(run_all(scheduler_of(12, 100, 16, two=True), RunnerV2(12), searches(tmp_path)))
    rng, put_back = random.Random(0), []

    def is_ready(self: Scheduler, request: Request) -> bool:
        if rng.random() < 0.4:
            put_back.append(request.request_id)
            return False
        return bool(ours(self, request))

    ours = Scheduler._handle_blocked_waiting_request
    monkeypatch.setattr(Scheduler, "_handle_blocked_waiting_request", is_ready)
    scheduler = scheduler_of(12, blocks, 16, two=True)
    monkeypatch.setattr(scheduler, "give_up", lambda: None)  # it is idle only by chance
    assert found_by(run_all(scheduler, RunnerV2(12), searches(tmp_path))) == alone
    assert len(put_back) > 5
    assert scheduler.kv_cache_manager.block_pool.get_num_free_blocks() == blocks - 1


class SeeingRunner(RunnerV2):
    """Lets go of the pixels of a picture once it is computed, as version 0.33 does, and needs them
    where a step encodes it."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.shown: dict[str, list[MultiModalFeatureSpec]] = {}
        self.encoded: list[str] = []

    def follow(self, step: SchedulerOutput) -> list[str]:
        for new in step.scheduled_new_reqs:
            self.shown[new.req_id] = list(new.mm_features)
        for name in step.num_scheduled_tokens:
            for place in step.scheduled_encoder_inputs.get(name, ()):
                assert self.shown[name][place].data is not None
                self.encoded.append(name)
            for place, one in enumerate(self.shown[name]):
                if one.mm_position.offset + one.mm_position.length <= self.computed[name]:
                    self.shown[name][place] = replace(one, data=None)
        return super().follow(step)


def test_pixels_are_there_where_a_picture_is_encoded(tmp_path: Path) -> None:
    """A row begins without those of pictures that its parent has seen, and gets them back where it
    is computed anew."""
    pixels: Any = {"pixels": 1}
    picture = MultiModalFeatureSpec(pixels, "image", "a picture", PlaceholderRange(2, 4))
    asked = searches(tmp_path, mm_features=[picture])
    scheduler, runner = scheduler_of(12, 100, 16, two=True), SeeingRunner(12)
    scheduler.max_num_encoder_input_tokens = 16
    scheduler.encoder_cache_manager = EncoderCacheManager(16)
    for request in asked:
        scheduler.add_request(request)
    done, anew = 0, ""
    for _ in range(100):
        done += sum(one.finish_reason is not None for one in run_step(scheduler, runner))
        resting = {s.rows[n] for s in scheduler._searches.values() for n in s.answers}
        blind = [
            one for one in scheduler.running
            if one.mm_features[0].data is None and one.request_id not in resting
        ]  # fmt: skip
        if blind and not anew:
            row, anew = blind[0], blind[0].request_id
            scheduler.running.remove(row)
            scheduler._preempt_request(row, 0.0)
            # Nothing of it is known any more.
            row.skip_reading_prefix_cache = True
            scheduler.encoder_cache_manager = EncoderCacheManager(16)
    assert done == len(asked)
    assert anew
    assert anew in runner.encoded
    assert all(one.mm_features == [picture] for one in asked)


def test_a_cache_too_small_for_all_ends_the_last_search(tmp_path: Path) -> None:
    scheduler, runner = scheduler_of(12, 14, 16, two=True), RunnerV2(12)
    last = run_all(scheduler, runner, searches(tmp_path))
    reasons = [last[f"search {n}"].finish_reason for n in range(4)]
    assert FinishReason.ERROR in reasons
    assert scheduler.kv_cache_manager.block_pool.get_num_free_blocks() == 13
    # What has room is found as before.
    assert len(run_all(scheduler, runner, [request_of("other", [1, 2, 3], greedy(4))])) == 1


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
