"""A search ranks the items of the beams, and verification orders the first of them."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine

from semcore.bundle.calibration import Calibration, Calibrations
from semcore.bundle.filter import Filter
from semcore.bundle.probability import Probability
from semcore.kind import Direction
from service.engine.protocol import Found
from service.errors import DeadlineError, InvalidQueryError, OverloadedError
from service.index.index import Index
from service.schemas.answer import Guide, SearchAnswer, Verify
from service.search.searcher import Searcher, SearchParameters
from service.settings import Settings
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline

VERIFIED = 4
PLAIN = SearchParameters(top_k=100, beam_width=10, verify="never", constrained=True)


@pytest.fixture
def index(trained: Path) -> Iterator[Index]:
    opened = Index(trained / "bundle")
    yield opened
    opened.close()


@pytest.fixture
def searcher(trained: Path) -> Searcher:
    return Searcher(FakeEngine(trained / "model", Settings()), VERIFIED, Admission(1, 0))


async def test_ranks_by_score_without_verification(index: Index, searcher: Searcher) -> None:
    answer = await searcher.search(index.snapshot, "text-to-image", "a boat", PLAIN)
    assert len(answer.items) >= PLAIN.beam_width
    logprobs = [item.logprob for item in answer.items]
    assert logprobs == sorted(logprobs, reverse=True)
    assert [item.rank for item in answer.items] == list(range(1, len(answer.items) + 1))
    assert all(item.kind == "image" and item.verification is None for item in answer.items)
    assert answer.index_version == index.bundle.version
    assert answer.illegal == 0


async def test_verification_orders_the_first_and_leaves_the_rest(
    index: Index, searcher: Searcher
) -> None:
    plain = await searcher.search(index.snapshot, "text-to-image", "a boat", PLAIN)
    verified = await searcher.search(
        index.snapshot, "text-to-image", "a boat", replace(PLAIN, verify="always")
    )
    first = [item.verification or 0.0 for item in verified.items[:VERIFIED]]
    assert first == sorted(first, reverse=True)
    assert sum(first) == pytest.approx(1.0)
    ids = [[item.id for item in answer.items] for answer in (plain, verified)]
    assert set(ids[0][:VERIFIED]) == set(ids[1][:VERIFIED])
    assert ids[0][VERIFIED:] == ids[1][VERIFIED:]


async def test_a_lead_spares_verification(index: Index, searcher: Searcher) -> None:
    automatic = replace(PLAIN, verify="auto")
    assert (await searcher.search(index.snapshot, "text-to-image", "a boat", automatic)).verified
    index.bundle.calibration = Calibrations({"text-to-image": Calibration(margin=0.0)})
    spared = await searcher.search(index.snapshot, "text-to-image", "a boat", automatic)
    assert not spared.verified
    assert all(item.verification is None for item in spared.items)
    assert (
        await searcher.search(
            index.snapshot, "text-to-image", "a boat", replace(PLAIN, verify="always")
        )
    ).verified
    index.bundle.calibration = Calibrations({"text-to-image": Calibration(margin=1e9)})
    assert (await searcher.search(index.snapshot, "text-to-image", "a boat", automatic)).verified


async def test_what_is_common_counts_less(index: Index, searcher: Searcher) -> None:
    plain = await searcher.search(index.snapshot, "text-to-image", "a boat", PLAIN)
    assert all(item.commonness is None and item.score == item.logprob for item in plain.items)
    asking = replace(PLAIN, commonness=True)
    told = await searcher.search(index.snapshot, "text-to-image", "a boat", asking)
    assert [item.id for item in told.items] == [item.id for item in plain.items]
    assert all(item.commonness is not None for item in told.items)
    index.bundle.calibration = Calibrations({"text-to-image": Calibration(commonness=0.5)})
    corrected = await searcher.search(index.snapshot, "text-to-image", "a boat", PLAIN)
    for item in corrected.items:
        assert item.score == pytest.approx(item.logprob - 0.5 * (item.commonness or 0.0))
    scores = [item.score for item in corrected.items]
    assert scores == sorted(scores, reverse=True)
    assert [item.beam_rank for item in corrected.items] == list(range(1, len(scores) + 1))
    assert [item.id for item in corrected.items] != [item.id for item in plain.items]
    assert "commonness" in corrected.timings
    # The judge weighs the scores, and the first by score are judged.
    judged = await searcher.search(
        index.snapshot, "text-to-image", "a boat", replace(PLAIN, verify="always")
    )
    first = {item.id for item in judged.items if item.verification is not None}
    assert first == {item.id for item in corrected.items[:VERIFIED]}


class Asked(FakeEngine):
    """Counts how often it is asked for beams, and for log-probabilities."""

    finds = weighs = 0

    async def find(self, *asked: Any, **options: Any) -> Found:
        self.finds += 1
        return await super().find(*asked, **options)

    async def weigh(self, *asked: Any) -> list[float]:
        self.weighs += 1
        return await super().weigh(*asked)


async def test_where_the_guides_order_stands_no_beams_are_run(guided: Path) -> None:
    index, engine = Index(guided), Asked(guided.parent / "model", Settings())
    searcher = Searcher(engine, VERIFIED, Admission(1, 0))
    weights = Calibration(likelihood=0.0, cosine=20.0, commonness=0.5, prior=0.9)
    index.bundle.calibration = Calibrations(guided={"text-to-image": weights})

    async def search(**more: Any) -> tuple[SearchAnswer, int]:
        before = engine.finds
        parameters = replace(PLAIN, top_k=8, verify="always", **more)
        answer = await searcher.search(index.snapshot, "text-to-image", "a boat", parameters)
        return answer, engine.finds - before

    answer, finds = await search()
    assert finds == engine.weighs == 0
    assert answer.guide == "evidence"
    assert answer.verified
    assert answer.more
    assert answer.degraded is None
    assert answer.illegal == 0
    assert answer.timings["beams"] == 0
    # Beams change nothing of it, and are run for who asks what only they can tell.
    for asked in ({"explain": True}, {"commonness": True}):
        told, finds = await search(**asked)
        assert finds == 1
        assert [item.id for item in told.items] == [item.id for item in answer.items]
        assert [item.score for item in told.items] == pytest.approx(
            [item.score for item in answer.items]
        )
    assert (await search(guide="none"))[1] == 1
    assert (await search(constrained=False))[1] == 1
    index.bundle.calibration = Calibrations(
        guided={"text-to-image": replace(weights, likelihood=0.1)}
    )
    assert (await search())[1] == 1
    index.close()


def by_hand(answer: SearchAnswer, probability: Probability, *, guided: bool) -> list[float]:
    """The probabilities of the items of an answer that holds all."""
    values = [item.cosine if guided else item.score for item in answer.items]
    return list(probability.of([value or 0.0 for value in values]).tolist())


@pytest.mark.parametrize("guide", ["auto", "none", "only"])
async def test_a_search_may_want_no_item_rather_than_a_wrong_one(
    guided: Path, guide: Guide
) -> None:
    index, engine = Index(guided), Asked(guided.parent / "model", Settings())
    searcher = Searcher(engine, VERIFIED, Admission(1, 0))
    is_guided = guide != "none"
    probability = Probability(0.0, 5.0, 1.0) if is_guided else Probability(10.0, 1.0, 0.5)
    told: dict[Direction, Probability] = {"text-to-image": probability}
    index.bundle.calibration = (
        Calibrations(probable_guided=told) if is_guided else Calibrations(probable_alone=told)
    )

    async def search(**more: Any) -> SearchAnswer:
        parameters = replace(PLAIN, guide=guide, **more)
        return await searcher.search(index.snapshot, "text-to-image", "a boat", parameters)

    every = await search()
    expected = by_hand(every, probability, guided=is_guided)
    assert [item.probability for item in every.items] == pytest.approx(expected)
    least = sorted(expected)[len(expected) // 2]
    some = await search(min_score=least)
    assert [item.id for item in some.items] == [
        item.id
        for item, likely in zip(every.items, expected, strict=True)
        if likely >= least - 1e-12
    ]
    assert 0 < len(some.items) < len(every.items)
    assert [item.rank for item in some.items] == list(range(1, len(some.items) + 1))
    pages = [await search(min_score=least, top_k=2, offset=at) for at in (0, 2)]
    assert [item.id for page in pages for item in page.items] == [i.id for i in some.items[:4]]
    assert pages[0].more == (len(some.items) > 2)
    nothing = await search(min_score=1.0, verify="always")
    assert nothing.items == []
    assert (nothing.more, nothing.verified, nothing.degraded) == (False, False, None)
    index.close()


async def test_how_likely_must_be_known(guided: Path) -> None:
    index, engine = Index(guided), Asked(guided.parent / "model", Settings())
    searcher = Searcher(engine, VERIFIED, Admission(1, 0))
    wanted = replace(PLAIN, min_score=0.5)
    nothing = Filter.model_validate({"field": "none", "equals": 1})
    for parameters in (
        wanted, replace(wanted, guide="only"), replace(wanted, guide="none"),
        replace(wanted, wanted=nothing),
    ):  # fmt: skip
        with pytest.raises(InvalidQueryError, match="semcore calibrate"):
            await searcher.search(index.snapshot, "text-to-image", "a boat", parameters)
    assert engine.finds == 0
    probability = Probability(0.0, 5.0, 1.0)
    index.bundle.calibration = Calibrations(probable_guided={"text-to-image": probability})
    with pytest.raises(InvalidQueryError, match="without the guide"):
        await searcher.search(
            index.snapshot, "text-to-image", "a boat", replace(wanted, guide="none")
        )
    index.close()


async def test_no_time_for_the_guide_is_no_time_to_refuse(
    guided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*_: object) -> tuple[None, bool]:
        return None, False

    index, engine = Index(guided), Asked(guided.parent / "model", Settings())
    searcher = Searcher(engine, VERIFIED, Admission(1, 0))
    probability = Probability(0.0, 5.0, 1.0)
    index.bundle.calibration = Calibrations(probable_guided={"text-to-image": probability})
    monkeypatch.setattr("service.search.searcher.timed_guidance", late)
    with pytest.raises(DeadlineError, match="min_score"):
        await searcher.search(
            index.snapshot, "text-to-image", "a boat", replace(PLAIN, min_score=0.5)
        )
    index.close()


class Late(FakeEngine):
    """Has found its beams when the deadline passes, and does not come to weigh anything."""

    deadline = Deadline()

    async def find(self, *asked: Any, **options: Any) -> Found:
        found = await super().find(*asked, **options)
        self.deadline._until = 0.0
        return found

    async def weigh(self, *_: object) -> list[float]:
        return await asyncio.Future()


@pytest.mark.parametrize("verify", ["never", "auto", "always"])
async def test_says_where_there_was_no_time_for_commonness(
    trained: Path, index: Index, searcher: Searcher, verify: Verify
) -> None:
    plain = await searcher.search(index.snapshot, "text-to-image", "a boat", PLAIN)
    index.bundle.calibration = Calibrations(
        {"text-to-image": Calibration(commonness=0.5, margin=0.0)}
    )
    engine = Late(trained / "model", Settings())
    engine.deadline = Deadline(3600)
    late = await Searcher(engine, VERIFIED, Admission(1, 0)).search(
        index.snapshot,
        "text-to-image",
        "a boat",
        replace(PLAIN, verify=verify),
        deadline=engine.deadline,
    )
    assert late.degraded is not None
    assert (late.degraded.beam_width, late.degraded.verified) == (PLAIN.beam_width, 0)
    assert [item.id for item in late.items] == [item.id for item in plain.items]
    assert all(item.commonness is None for item in late.items)


async def test_gives_no_more_than_asked_for(index: Index, searcher: Searcher) -> None:
    parameters = replace(PLAIN, top_k=3)
    assert (
        len((await searcher.search(index.snapshot, "text-to-image", "a boat", parameters)).items)
        == 3
    )


async def test_traces_items_through_the_beams(index: Index, searcher: Searcher) -> None:
    ids = [item.id for item in index.bundle.store.of_split("test", "image")][:15]
    wide = replace(PLAIN, beam_width=100)
    lost: dict[int, list[int | None]] = {}
    for parameters in (replace(PLAIN, beam_width=2), wide):
        answer = await searcher.search(
            index.snapshot, "text-to-image", "a boat", parameters, trace=ids
        )
        assert [trace.id for trace in answer.traces] == ids
        found = {item.id for item in answer.items}
        for trace in answer.traces:
            assert (trace.lost_at is None) == (trace.id in found)
            assert trace.lost_at is None or 1 <= trace.lost_at <= trace.steps
        lost[parameters.beam_width] = [trace.lost_at for trace in answer.traces]
    # A wider beam loses nothing earlier.
    for narrow, broad in zip(lost[2], lost[100], strict=True):
        assert broad is None or (narrow is not None and narrow <= broad)
    assert any(one is not None for one in lost[2])
    assert any(one is None for one in lost[100])


async def test_an_item_that_cannot_be_found_has_no_trace(index: Index, searcher: Searcher) -> None:
    text = next(index.bundle.store.of_split("test", "text")).id
    answer = await searcher.search(
        index.snapshot, "text-to-image", "boat", PLAIN, trace=[text, "nothing"]
    )
    assert answer.traces == []


async def test_explains_each_identifier_token_by_token(index: Index, searcher: Searcher) -> None:
    plain = await searcher.search(index.snapshot, "text-to-image", "a boat", PLAIN)
    assert not any(item.path for item in plain.items)
    told = await searcher.search(
        index.snapshot, "text-to-image", "a boat", replace(PLAIN, explain=True)
    )
    assert [item.id for item in told.items] == [item.id for item in plain.items]
    for item in told.items:
        assert sum(step.logprob for step in item.path) == pytest.approx(item.logprob, abs=1e-4)
        assert "".join(step.text for step in item.path).strip() == item.identifier.text
        assert item.path[-1].text == ""
        for step in item.path:
            assert step.text not in [other.text for other in step.beaten]
    assert any(step.beaten for step in told.items[0].path)


async def test_a_filter_is_within_the_deadline_and_holds_up_nobody(
    index: Index, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine(trained / "model", Settings())
    searcher = Searcher(engine, VERIFIED, Admission(running=4, waiting=0))
    known = replace(PLAIN, wanted=Filter.model_validate({"not": {"field": "a", "equals": 0}}))
    assert (await searcher.search(index.snapshot, "text-to-image", "a boat", known)).items
    may_end, begun = threading.Event(), threading.Event()
    listed = index.bundle.store.listed

    def slow(wanted: Filter) -> object:
        begun.set()
        assert may_end.wait(60)
        return listed(wanted)

    monkeypatch.setattr(index.bundle.store, "listed", slow)
    new = [
        replace(PLAIN, wanted=Filter.model_validate({"not": {"field": "a", "equals": n}}))
        for n in range(1, 5)
    ]

    def search(parameters: SearchParameters) -> asyncio.Task[SearchAnswer]:
        return asyncio.create_task(
            searcher.search(index.snapshot, "text-to-image", "a boat", parameters)
        )

    waiting = [search(new[0])]
    try:
        assert await asyncio.to_thread(begun.wait, 60)
        with pytest.raises(DeadlineError, match="filter") as late:
            await searcher.search(
                index.snapshot,
                "text-to-image",
                "a boat",
                new[1],
                deadline=Deadline(0.01, by_client=True),
            )
        assert late.value.status == 408
        waiting.append(search(new[2]))
        await asyncio.sleep(0.01)
        with pytest.raises(OverloadedError):  # none may wait
            await search(new[3])
        for quick in (known, PLAIN):
            assert (await search(quick)).items
        assert not any(task.done() for task in waiting)
    finally:
        may_end.set()
    assert all(answer.items for answer in await asyncio.gather(*waiting))
