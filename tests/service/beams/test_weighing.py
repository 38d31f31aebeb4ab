"""Many answers are weighed by one request: together as alone, in parts as at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from moment import SERVICE

from semcore.errors import EngineError
from semcore.model.prompt import identifier_prompt
from service.engine.vllm_engine import VllmEngine
from service.errors import InvalidQueryError
from service.index.index import Index
from service.settings import Settings

# The engine is started in this process: what it imports is deprecated in places, and what it opens
# is left to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LONGEST = 96
ROWS = 24


@pytest.fixture
def index(trained: Path) -> Index:
    return Index(trained / "bundle")


@pytest.fixture
async def engine(index: Index, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[VllmEngine]:
    for name, value in SERVICE.items():
        monkeypatch.setenv(name, value)
    started = VllmEngine.start(
        index.bundle.model,
        Settings(bundle=Path(), max_batch=ROWS, max_beam_width=ROWS, max_model_len=LONGEST),
        max_num_batched_tokens=40,  # fewer than a prompt with its answers
        enable_chunked_prefill=True,
    )
    yield started
    await started.stop()


def spelled(engine: VllmEngine, index: Index) -> list[list[int]]:
    trie = index.bundle.store.identifiers("image")
    return [engine.spell(identifier) for identifier in sorted({text for text, _ in trie})[:30]]


async def step_by_step(
    engine: VllmEngine, prompt: str, answers: Sequence[Sequence[int]]
) -> list[float]:
    """A token a step, each the only one that the mask allows."""
    found = []
    for tokens in answers:
        steps = await engine._chosen(engine.prompt(prompt), [(token, token) for token in tokens])
        found.append(sum(step[t].logprob for step, t in zip(steps, tokens, strict=True)))
    return found


async def test_answers_are_weighed_together_as_step_by_step(
    engine: VllmEngine, index: Index
) -> None:
    answers = [*spelled(engine, index), engine.say("one"), list(range(5, 45))]
    text = identifier_prompt("text-to-image", "two red boats at night")
    expected = await step_by_step(engine, text, answers)
    assert len({round(one, 3) for one in expected}) > len(answers) // 2
    prompt = engine.prompt(text)
    for _ in range(2):  # the second time all of it is cached
        assert await engine.weigh(prompt, answers) == pytest.approx(expected, abs=1e-4)
    alone = [await engine.weigh(prompt, [tokens]) for tokens in answers[:4]]
    assert [one for (one,) in alone] == pytest.approx(expected[:4], abs=1e-4)
    assert await engine.weigh(prompt, []) == []

    # Beside searches, and beside those that leave.
    side = index.snapshot.side("image")
    assert side is not None
    search = engine.find(prompt, side, 8, constrained=True)
    leaving = asyncio.create_task(engine.weigh(prompt, answers))
    weighed = [engine.weigh(prompt, answers) for _ in range(3)]
    await asyncio.sleep(0)
    leaving.cancel()
    found, *told = await asyncio.gather(search, *weighed)
    for one in told:
        assert one == pytest.approx(expected, abs=1e-4)
    again = await engine.find(prompt, side, 8, constrained=True)
    assert [beam.leaves for beam in found.beams] == [beam.leaves for beam in again.beams]


async def test_what_has_no_room_is_refused_and_the_engine_goes_on(
    engine: VllmEngine, index: Index
) -> None:
    from service.beams.weighing import weighing_argument

    prompt = engine.prompt(identifier_prompt("text-to-image", "a boat"))
    with pytest.raises(InvalidQueryError, match="the query is too long"):
        await engine.weigh(prompt, [[7] * LONGEST])
    room = LONGEST - len(prompt.tokens)
    params = engine._params(max_tokens=1, extra_args=weighing_argument([[7] * room]))
    unchecked = await engine._ask(prompt, params)
    assert unchecked.outputs[0].finish_reason == "error"
    with pytest.raises(EngineError, match="no log-probabilities"):
        await engine.weigh(prompt, [[7], []])
    assert len(await engine.weigh(prompt, [[7], [8]])) == 2
