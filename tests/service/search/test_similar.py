"""The items like another are those whose vectors are nearest, and it says what it cannot do."""

import asyncio
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image
from searching import pictures_of

from semcore.bundle.filter import Filter
from semcore.guide.vectors import VectorTable, unit
from semcore.kind import KINDS, Kind
from service.engine.no_engine import NoEngine
from service.errors import (
    BadImageError,
    DeadlineError,
    InvalidQueryError,
    NotFoundError,
    OverloadedError,
)
from service.index.index import Index
from service.schemas.answer import SearchAnswer
from service.search.diversity import Diversity
from service.search.query_image import Upload
from service.search.searcher import Searcher
from service.search.similar import SimilarParameters, similar
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline

TEN = SimilarParameters(top_k=10)


class Ask(Protocol):
    async def __call__(
        self,
        query: str | Upload,
        parameters: SimilarParameters = TEN,
        other: Index | None = None,
        seconds: float = 60.0,
    ) -> SearchAnswer: ...


@pytest.fixture
def index(untrained: Path) -> Iterator[Index]:
    opened = Index(untrained)
    yield opened
    opened.close()


@pytest.fixture
def searcher() -> Searcher:
    return Searcher(NoEngine(), 10, Admission(1, 0))


@pytest.fixture
def asked(searcher: Searcher, index: Index) -> Ask:
    async def ask(
        query: str | Upload,
        parameters: SimilarParameters = TEN,
        other: Index | None = None,
        seconds: float = 60.0,
    ) -> SearchAnswer:
        snapshot = (other or index).snapshot
        return await similar(searcher, snapshot, query, parameters, Deadline(seconds))

    return ask


def ids(answer: SearchAnswer) -> list[str]:
    return [item.id for item in answer.items]


def by_hand(index: Index, item_id: str, kind: Kind) -> list[tuple[str, float]]:
    """Ids of all items of a kind but this one, and their cosines, the nearest first."""
    rows = unit(VectorTable(index.bundle.path).rows).astype(float)
    own = index.snapshot.number(item_id)
    side = index.snapshot.side(kind)
    assert side is not None
    assert side.visible is not None
    numbers = [number for number in side.visible.numbers if number != own]
    cosines = rows[numbers] @ rows[own]
    order = np.argsort(-cosines, kind="stable")
    items = index.snapshot.items([numbers[place] for place in order])
    return [(item.id, cosine) for item, cosine in zip(items, cosines[order], strict=True)]


def some(index: Index, kind: Kind) -> str:
    return next(index.bundle.store.of_split("test", kind)).id


def picture(colour: str = "red") -> Upload:
    content = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(content, "PNG")
    return Upload(content.getvalue())


@pytest.mark.parametrize("own", KINDS)
@pytest.mark.parametrize("kind", [*KINDS, None])
async def test_the_nearest_of_all(index: Index, asked: Ask, own: Kind, kind: Kind | None) -> None:
    item_id = some(index, own)
    answer = await asked(item_id, replace(TEN, kind=kind))
    assert {item.kind for item in answer.items} == {kind or own}
    assert item_id not in ids(answer)
    expected = by_hand(index, item_id, kind or own)
    cosines = [item.cosine for item in answer.items]
    assert cosines == pytest.approx([cosine for _, cosine in expected[:10]], abs=1e-5)
    # Items that are equally near may come in any order.
    told = dict(expected)
    assert [told[one] for one in ids(answer)] == pytest.approx(cosines, abs=1e-5)
    assert answer.guide == "only"
    assert answer.more
    assert [item.rank for item in answer.items] == list(range(1, 11))


async def test_pages_are_one_answer_in_parts(index: Index, asked: Ask) -> None:
    item_id = some(index, "image")
    whole = await asked(item_id, replace(TEN, top_k=500))
    assert not whole.more
    assert sorted(ids(whole)) == sorted(one for one, _ in by_hand(index, item_id, "image"))
    pages = [await asked(item_id, replace(TEN, offset=at)) for at in (0, 10, 20)]
    assert [one for page in pages for one in ids(page)] == ids(whole)[:30]
    assert pages[2].items[0].rank == 21


async def test_a_filter_and_the_item_itself(index: Index, asked: Ask) -> None:
    item_id = some(index, "image")
    nothing = Filter.model_validate({"field": "none", "equals": 1})
    empty = await asked(item_id, replace(TEN, wanted=nothing))
    assert empty.items == []
    every = Filter.model_validate({"not": {"field": "none", "equals": 1}})
    assert ids(await asked(item_id, replace(TEN, wanted=every))) == ids(await asked(item_id))


async def test_diversity_and_folding(index: Index, asked: Ask) -> None:
    item_id = some(index, "text")
    plain = await asked(item_id, replace(TEN, top_k=500))
    spread = await asked(item_id, replace(TEN, top_k=500, diversity=Diversity(0.7)))
    assert ids(spread)[0] == ids(plain)[0]
    assert ids(spread) != ids(plain)
    assert sorted(ids(spread)) == sorted(ids(plain))
    folded = await asked(item_id, replace(TEN, top_k=500, diversity=Diversity(folds=True)))
    every = [one for item in folded.items for one in (item.id, *item.duplicates)]
    assert sorted(every) == sorted(ids(plain))
    assert ids(folded) == [one for one in ids(plain) if one in ids(folded)]
    first = await asked(item_id, replace(TEN, diversity=Diversity(0.7)))
    assert ids(first) == ids(spread)[:10]


async def test_a_picture_that_is_shown(guided: Path, asked: Ask) -> None:
    index = Index(guided)
    answer = await asked(picture(), other=index)
    assert {item.kind for item in answer.items} == {"image"}
    cosines = [item.cosine or 0.0 for item in answer.items]
    assert cosines == sorted(cosines, reverse=True)
    texts = await asked(picture(), replace(TEN, kind="text"), other=index)
    assert {item.kind for item in texts.items} == {"text"}
    with pytest.raises(BadImageError):
        await asked(Upload(b"no picture"), other=index)
    index.close()


async def test_what_it_cannot_do(
    index: Index,
    asked: Ask,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item_id = some(index, "image")
    with pytest.raises(NotFoundError, match="no item 'nothing'"):
        await asked("nothing")
    with pytest.raises(InvalidQueryError, match="reads texts only"):
        await asked(picture())
    with pytest.raises(DeadlineError):
        await asked(picture(), seconds=0.0)
    plain = Index(trained / "bundle")
    with pytest.raises(InvalidQueryError, match="has no guide"):
        await asked(item_id, other=plain)
    plain.close()
    number = index.snapshot.number(item_id)
    rows = index.snapshot.table.copy()
    rows[number] = 0
    assert index.bundle.vectors is not None
    monkeypatch.setattr(index.bundle.vectors, "rows", rows)
    with pytest.raises(InvalidQueryError, match="has no vector"):
        await asked(item_id)
    monkeypatch.setattr("service.index.visible_items.EXACT_UP_TO", 10)
    many = Index(trained / "guided")
    assert (await asked(item_id, other=many)).items
    pictures_of(many).visible = None  # as of a bundle of before
    with pytest.raises(InvalidQueryError, match="more than"):
        await asked(item_id, other=many)
    many.close()


async def test_it_waits_for_a_turn_as_any_search(
    index: Index, searcher: Searcher, asked: Ask
) -> None:
    item_id = some(index, "image")
    searcher.admission._most = 1
    async with searcher.admission.turn(Deadline()):
        waiting = asyncio.create_task(asked(item_id))
        while searcher.admission._waiting < 1:
            await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await asked(item_id)
        assert not waiting.done()
    assert len((await waiting).items) == 10
    async with searcher.admission.turn(Deadline()):
        with pytest.raises(DeadlineError):
            await asked(item_id, seconds=0.01)
