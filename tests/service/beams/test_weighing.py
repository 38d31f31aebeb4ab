"""Many answers are weighed by one request: together as alone, in parts as at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from engines import LONGEST, STARTS_VLLM, small_engine
from PIL import Image

from semcore.errors import EngineError
from semcore.identifiers.tokens import letter_tokens
from semcore.model.prompt import identifier_prompt, list_prompt, verification_prompt
from service.engine.protocol import Picture, Prompt
from service.engine.vllm_engine import VllmEngine
from service.errors import InvalidQueryError
from service.index.index import Index

pytestmark = [*STARTS_VLLM, pytest.mark.asyncio(loop_scope="module")]
ROWS = 24


@pytest.fixture(scope="module")
def index(trained: Path) -> Iterator[Index]:
    opened = Index(trained / "bundle")
    yield opened
    opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(index: Index) -> AsyncIterator[VllmEngine]:
    # A step reads fewer tokens than a prompt with its answers has.
    async with small_engine(index, ROWS, max_num_batched_tokens=40, max_logprobs=-1) as started:
        yield started


def spelled(engine: VllmEngine, index: Index) -> list[list[int]]:
    trie = index.bundle.store.identifiers("image")
    return [engine.spell(identifier) for identifier in sorted({text for text, _ in trie})[:30]]


async def step_by_step(
    engine: VllmEngine, prompt: Prompt, answers: Sequence[Sequence[int]]
) -> list[float]:
    """A request a token, of which vLLM tells the whole vocabulary."""
    from service.beams.logits_processor import position_argument

    async def logprob(before: Sequence[int], token: int) -> float:
        rendered = await engine._requests.rendered(
            Prompt((*prompt.tokens, *before), prompt.pictures)
        )
        params = engine._requests.params(
            max_tokens=1, logprobs=-1, extra_args=position_argument(())
        )
        output = await engine._requests.answered(rendered, params)
        assert output.outputs[0].logprobs
        return float(output.outputs[0].logprobs[0][token].logprob)

    return [
        sum([await logprob(answer[:place], token) for place, token in enumerate(answer)])
        for answer in answers
    ]


async def test_answers_are_weighed_together_as_step_by_step(
    engine: VllmEngine, index: Index
) -> None:
    answers = [*spelled(engine, index), engine.say("one"), list(range(5, 45))]
    prompt = engine.prompt(identifier_prompt("text-to-image", "two red boats at night"))
    expected = await step_by_step(engine, prompt, answers)
    assert len({round(one, 3) for one in expected}) > len(answers) // 2
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
    requests = engine._requests
    params = requests.params(max_tokens=1, extra_args=weighing_argument([[[7]] * room]))
    unchecked = await requests.answered(await requests.rendered(prompt), params)
    assert unchecked.outputs[0].finish_reason == "error"
    with pytest.raises(EngineError, match="no log-probabilities"):
        await engine.weigh(prompt, [[7], []])
    assert len(await engine.weigh(prompt, [[7], [8]])) == 2


def shown(index: Index, *places: int) -> list[Picture]:
    pictures = list(index.bundle.store.of_split("test", "image"))
    found = []
    for place in places:
        path = Path(index.bundle.image_root) / pictures[place].image
        with Image.open(path) as image:
            found.append(Picture(image.convert("RGB"), path.name))
    return found


async def test_many_prompts_are_weighed_in_one_request(engine: VllmEngine, index: Index) -> None:
    """Each as alone: of different lengths, with pictures and without, one of them twice, more than
    a request has room for."""
    one, two, three = shown(index, 0, 1, 2)
    prompts = [
        engine.prompt(verification_prompt(["boat", "red"], "two red boats"), [one]),
        engine.prompt(verification_prompt(["house"], "a house beside a large tree"), [two]),
        engine.prompt(identifier_prompt("text-to-image", "a boat")),
        engine.prompt(verification_prompt(["dog"], "a dog"), [one]),
        engine.prompt(verification_prompt(["cat"], "a small cat"), [three]),
    ]
    assert engine._requests.longest == LONGEST
    answers = [engine.say(text) for text in ("one", "two boats", "three", "a red house", "four")]
    expected = [
        one
        for prompt, answer in zip(prompts, answers, strict=True)
        for one in await step_by_step(engine, prompt, [answer])
    ]
    for _ in range(2):
        assert await engine.weigh_each(prompts, answers) == pytest.approx(expected, abs=1e-4)
    verdicts = [[token] for token in engine._verdicts]
    told = [await step_by_step(engine, prompt, verdicts) for prompt in prompts]
    odds = [yes - no for yes, no in told]
    assert await engine.judge(prompts) == pytest.approx(odds, abs=1e-4)
    assert await engine.judge(prompts[:1]) == pytest.approx(odds[:1], abs=1e-4)
    assert await engine.judge([]) == []


async def test_letters_of_a_list_are_weighed_at_once(engine: VllmEngine, index: Index) -> None:
    told = [["boat"], ["dog", "red"], ["cat"]]
    text = list_prompt(["two boats", "a dog", "a cat"], told, one_picture=True)
    prompt = engine.prompt(text, shown(index, 0))
    letters = letter_tokens(engine._tokenizer)[:3]
    expected = await step_by_step(engine, prompt, [[letter] for letter in letters])
    # A picture is seen in half precision, beside others in a batch.
    assert await engine.choose(prompt, 3) == pytest.approx(expected, abs=2e-3)
    assert len(await engine.choose(prompt, 2)) == 2


async def test_a_picture_of_a_prompt_that_was_refused_can_be_shown_again(
    engine: VllmEngine, index: Index
) -> None:
    (picture,) = shown(index, 3)
    long = engine.prompt(verification_prompt(["boat"], "boat " * LONGEST), [picture])
    short = engine.prompt(verification_prompt(["boat"], "a boat"), [picture])
    with pytest.raises(InvalidQueryError, match="the query is too long"):
        await engine.judge([short, long])
    assert len(await engine.judge([short])) == 1
