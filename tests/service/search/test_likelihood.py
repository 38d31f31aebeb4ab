"""The model scores what the guide alone has found, and says how likely identifiers are anyhow."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from semcore.bundle.calibration import Calibration
from semcore.bundle.item import Item
from semcore.kind import Kind
from service.engine.protocol import Prompt
from service.errors import InvalidQueryError
from service.search.candidates import Candidate
from service.search.commonness import Commonness
from service.search.likelihood import scored
from service.settings import Settings
from service.telemetry.stopwatch import Stopwatch
from service.traffic.deadline import Deadline

KIND: Kind = "image"
PROMPT = Prompt((1, 2, 3))
WEIGHTS = Calibration(commonness=0.5, likelihood=0.1, cosine=10.0)


class Weighing(FakeEngine):
    """Notes what it is asked."""

    def __init__(self, model: Path) -> None:
        super().__init__(model, Settings())
        self.asked: list[tuple[Prompt, int]] = []
        self.seconds = 0.0
        self.refuses = False

    async def weigh(self, prompt: Prompt, spelled: Sequence[Sequence[int]]) -> list[float]:
        self.asked.append((prompt, len(spelled)))
        await asyncio.sleep(self.seconds)
        if self.refuses:
            raise InvalidQueryError("the query is too long")
        return await super().weigh(prompt, spelled)


@pytest.fixture
def engine(trained: Path) -> Weighing:
    return Weighing(trained / "model")


def candidate(name: str, logprob: float | None, cosine: float, *views: str) -> Candidate:
    identifier = f"<g1> {name}"
    item = Item(name, KIND, "test", name, False, name, f"{name}.png", identifier, views)
    return Candidate(item, identifier, logprob, None, cosine, 0.0, number=0)


def found() -> list[Candidate]:
    """One of the beams', two of the guide's own."""
    return [
        candidate("boat", -3.0, 0.1),
        candidate("dog", None, 0.2),
        candidate("cat", None, 0.3, "<g1> red", "<g2> house"),
    ]


async def told(
    engine: Weighing, *, guided: bool = True, commonness: bool = False, seconds: float | None = None
) -> tuple[dict[str, Candidate], bool, Stopwatch]:
    watch, known = Stopwatch(), Commonness(engine)
    deadline = Deadline() if seconds is None else Deadline(seconds)
    answer, is_whole = await scored(
        engine, known, PROMPT, KIND, found(), WEIGHTS, watch, deadline, guided=guided,
        commonness=commonness,
    )  # fmt: skip
    assert [one.score for one in answer] == sorted((one.score for one in answer), reverse=True)
    return {one.item.id: one for one in answer}, is_whole, watch


async def test_what_the_guide_alone_has_found_is_scored_in_one_request(engine: Weighing) -> None:
    answer, is_whole, watch = await told(engine)
    assert is_whole
    assert engine.asked == [(PROMPT, 4)]
    assert answer["boat"].logprob == -3.0
    (dog,) = await FakeEngine.weigh(engine, PROMPT, [engine.spell("<g1> dog")])
    assert answer["dog"].logprob == dog
    assert answer["dog"].score == pytest.approx(0.1 * dog + 10 * 0.2)
    assert watch.milliseconds("likelihood") > 0


async def test_of_several_identifiers_the_likeliest_counts(engine: Weighing) -> None:
    answer, _, _ = await told(engine)
    identifiers = found()[2].item.identifiers
    assert len(identifiers) == 3
    logprobs = await FakeEngine.weigh(engine, PROMPT, [engine.spell(one) for one in identifiers])
    assert answer["cat"].logprob == max(logprobs)
    assert answer["cat"].identifier == identifiers[logprobs.index(max(logprobs))]


async def test_commonness_is_asked_of_the_identifier_that_counts(engine: Weighing) -> None:
    answer, _, _ = await told(engine, commonness=True)
    for one in answer.values():
        (common,) = await Commonness(engine).of(KIND, [one.identifier])
        assert one.logprob is not None
        assert one.commonness == common
        assert one.cosine is not None
        expected = 0.1 * (one.logprob - 0.5 * common) + 10 * one.cosine
        assert one.score == pytest.approx(expected)


async def test_what_does_not_count_is_not_asked(engine: Weighing) -> None:
    answer, is_whole, _ = await told(engine, guided=False)
    assert is_whole
    assert not engine.asked
    assert answer["dog"].logprob is None
    # Commonness is that of the beams' own then.
    answer, _, _ = await told(engine, guided=False, commonness=True)
    assert [count for _, count in engine.asked] == [1]
    assert answer["boat"].commonness is not None
    assert answer["dog"].commonness is None


async def test_without_time_or_room_for_it_the_order_is_that_of_before(engine: Weighing) -> None:
    engine.seconds = 5.0
    answer, is_whole, _ = await told(engine, seconds=0.02)
    assert not is_whole
    assert answer["dog"].logprob is None
    engine.seconds, engine.refuses = 0.0, True
    answer, is_whole, _ = await told(engine)
    assert not is_whole
    assert answer["dog"].logprob is None
