"""Documents are ordered by what the model, or else the guide, says of each pair."""

import asyncio
import base64
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from reranking import asking, inline, picture

from semcore.bundle.item import Item
from semcore.errors import EngineError
from semcore.identifiers.identifier import Identifier
from semcore.model.prompt import list_prompt, verification_prompt
from service.engine.protocol import Picture, Prompt
from service.errors import BadImageError, DeadlineError, InvalidQueryError, OverloadedError
from service.index.index import Index
from service.rerank.reranker import Reranker
from service.search.decoder import Decoder
from service.search.query_image import content_key
from service.settings import Settings
from service.telemetry import metrics
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline

SETTINGS = Settings()
QUERY = "two red boats"


class Judging:
    """An engine that remembers the prompts, and finds each pair less likely than the next one."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.pictures: list[Picture] = []
        self.error: Exception | None = None

    def prompt(self, text: str, pictures: Sequence[Picture] = ()) -> Prompt:
        self.texts.append(text)
        self.pictures += pictures
        return Prompt((0,) * len(text.split()))

    async def choose(self, _prompt: Prompt, count: int) -> list[float]:
        return [math.log(place + 1) for place in range(count)]

    async def judge(self, prompts: Sequence[Prompt]) -> list[float]:
        if self.error is not None:
            raise self.error
        return [place - 1.0 for place in range(len(prompts))]


def reranker(engine: Judging, admission: Admission | None = None) -> Reranker:
    turns = admission or Admission(2, 2)
    return Reranker(engine, turns, Decoder(), SETTINGS)  # type: ignore[arg-type]


def items(index: Index, kind: str) -> list[Item]:
    return list(index.bundle.store.of_split("test", kind))[:3]  # type: ignore[arg-type]


def keywords(item: Item) -> tuple[str, ...]:
    return Identifier.parse(item.identifier).lexical_id


async def test_judges_pictures_by_a_text(index: Index) -> None:
    engine, (one, *_) = Judging(), items(index, "image")
    told = "a red boat at night"
    documents = [{"id": one.id}, {"image": inline("red"), "text": told}, {"image": inline("blue")}]
    request = asking(QUERY, documents, top_n=2, model="a-model")
    found = await reranker(engine).rerank(index, request)
    named = index.bundle.namer.name("image", [told]).lexical_id
    assert engine.texts == [
        verification_prompt(keywords(one), QUERY),
        verification_prompt(named, QUERY),
        verification_prompt((), QUERY),
    ]
    assert [seen.key for seen in engine.pictures[1:]] == [
        content_key(picture("red")),
        content_key(picture("blue")),
    ]
    assert [result.index for result in found.results] == [2, 1]
    expected = [1 / (1 + math.exp(-1.0)), 0.5]
    assert [result.relevance_score for result in found.results] == pytest.approx(expected)
    assert all(result.document is None for result in found.results)
    tokens = sum(len(text.split()) for text in engine.texts)
    assert found.usage.prompt_tokens == found.usage.total_tokens == tokens
    assert (found.model, found.scored_by) == ("a-model", "verification")
    assert found.index_version == index.snapshot.version


async def test_judges_texts_by_a_picture(index: Index) -> None:
    engine, (shown, *_), (text, *_) = Judging(), items(index, "image"), items(index, "text")
    documents = ["a red boat", {"id": text.id}, {"id": shown.id}]
    found = await reranker(engine).rerank(
        index, asking({"image": inline()}, documents, return_documents=True)
    )
    named = index.bundle.namer.name("text", ["a red boat"]).lexical_id
    assert engine.texts == [
        verification_prompt(named, "a red boat"),
        verification_prompt(keywords(text), text.caption),
        verification_prompt(keywords(shown), shown.caption),
    ]
    assert {seen.key for seen in engine.pictures} == {content_key(picture())}
    repeated = [result.document for result in found.results]
    assert [one.model_dump(exclude_none=True) for one in repeated if one] == [
        {"id": shown.id},
        {"id": text.id},
        {"text": "a red boat"},
    ]
    await reranker(engine).rerank(index, asking({"id": shown.id}, ["a red boat"]))
    assert engine.pictures[-1].key == index.snapshot.picture_key(shown)


async def test_chooses_from_a_list_of_documents(chooses: Index) -> None:
    engine, (one, *_) = Judging(), items(chooses, "image")
    documents = [{"id": one.id}, {"image": inline("red"), "text": "a red <b>boat"}]
    found = await reranker(engine).rerank(chooses, asking(QUERY, documents))
    told = [one.caption.split(), ["a", "red", "b>boat"]]
    assert engine.texts == [list_prompt([QUERY] * 2, told, one_picture=False)]
    assert len(engine.pictures) == 2
    assert [result.index for result in found.results] == [1, 0]
    assert [result.relevance_score for result in found.results] == pytest.approx([2 / 3, 1 / 3])
    assert found.scored_by == "verification"
    assert found.usage.total_tokens == len(engine.texts[0].split())
    await reranker(engine).rerank(chooses, asking({"image": inline()}, ["a boat", "a car"]))
    assert len(engine.pictures) == 3


async def test_a_list_has_few_documents(chooses: Index) -> None:
    for count in (1, 11):
        request = asking(QUERY, [{"image": inline()}] * count)
        with pytest.raises(InvalidQueryError, match="list of 2 to 10"):
            await reranker(Judging()).rerank(chooses, request)


async def test_what_the_model_cannot_judge_is_left_to_the_guide(sees: Index) -> None:
    engine = Judging()
    found = await reranker(engine).rerank(sees, asking(QUERY, ["a green house", QUERY]))
    assert [result.index for result in found.results] == [1, 0]
    assert found.results[0].relevance_score == pytest.approx(1.0, abs=1e-5)
    assert 0 <= found.results[1].relevance_score < 1
    assert found.scored_by == "guide"
    assert found.usage.total_tokens == 0
    # One request has one scale: the picture is compared, too.
    mixed = asking(QUERY, ["a green house", {"image": inline()}])
    assert (await reranker(engine).rerank(sees, mixed)).scored_by == "guide"
    assert engine.texts == []
    pictures = asking(QUERY, [{"image": inline()}])
    assert (await reranker(engine).rerank(sees, pictures)).scored_by == "verification"


async def test_without_a_model_the_guide_compares_all(reads: Index) -> None:
    (shown, *_), (text, *_) = items(reads, "image"), items(reads, "text")
    request = asking(text.caption, [{"id": shown.id}, {"id": text.id}])
    found = await reranker(Judging()).rerank(reads, request)
    assert found.scored_by == "guide"
    assert [result.index for result in found.results] == [1, 0]


async def test_says_which_pairs_can_be_judged(index: Index) -> None:
    with pytest.raises(InvalidQueryError, match=r"^documents.1: .* both a text"):
        await reranker(Judging()).rerank(index, asking(QUERY, [{"image": inline()}, "a text"]))
    with pytest.raises(InvalidQueryError, match=r"^documents.0: .* both a picture"):
        request = asking({"image": inline()}, [{"image": inline()}])
        await reranker(Judging()).rerank(index, request)


async def test_equal_documents_keep_their_order(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Judging()

    async def equal(prompts: Sequence[Prompt]) -> list[float]:
        return [-800.0 for _ in prompts]

    monkeypatch.setattr(engine, "judge", equal)
    found = await reranker(engine).rerank(index, asking(QUERY, [{"image": inline()}] * 3))
    assert [result.index for result in found.results] == [0, 1, 2]
    assert [result.relevance_score for result in found.results] == [0.0] * 3


async def test_a_picture_that_is_gone_is_named(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, *_) = items(index, "image")
    gone = replace(one, image="nowhere.png")
    monkeypatch.setattr(index.snapshot, "items", lambda _: [gone])
    monkeypatch.setattr(index.snapshot, "visual_tokens", lambda _: None)
    with pytest.raises(InvalidQueryError, match=r"^documents.0: .* gone"):
        await reranker(Judging()).rerank(index, asking(QUERY, [{"id": one.id}]))


async def test_a_picture_that_is_damaged_is_named(index: Index, sees: Index) -> None:
    damaged = base64.b64encode(picture(size=(200, 200))[:100]).decode()
    documents = [{"image": inline()}, {"image": damaged}]
    with pytest.raises(BadImageError, match=r"^documents.1: "):
        await reranker(Judging()).rerank(index, asking(QUERY, documents))
    with pytest.raises(BadImageError, match=r"^documents.1: "):
        await reranker(Judging()).rerank(sees, asking(QUERY, [QUERY, *documents[1:]]))


async def test_waits_for_a_turn_and_no_longer_than_its_deadline(index: Index) -> None:
    request = asking(QUERY, [{"image": inline()}], timeout_ms=50)
    turns = Admission(1, 0)
    async with turns.turn(Deadline()):
        with pytest.raises(OverloadedError):
            await reranker(Judging(), turns).rerank(index, request)
    engine = Judging()

    async def never(_: Sequence[Prompt]) -> list[float]:
        await asyncio.Future()
        return []

    engine.judge = never  # type: ignore[method-assign]
    with pytest.raises(DeadlineError, match="fewer documents") as raised:
        await reranker(engine).rerank(index, request)
    assert raised.value.status == 408


async def test_counts_how_it_ended(index: Index) -> None:
    def count(outcome: str) -> float:
        value: float = metrics.SEARCHES.labels("rerank", outcome)._value.get()
        return value

    before = {outcome: count(outcome) for outcome in ("answered", "failed")}
    engine, request = Judging(), asking(QUERY, [{"image": inline()}])
    await reranker(engine).rerank(index, request)
    engine.error = EngineError("dead")
    with pytest.raises(EngineError):
        await reranker(engine).rerank(index, request)
    assert {outcome: count(outcome) - was for outcome, was in before.items()} == {
        "answered": 1,
        "failed": 1,
    }
