"""The guide alone ranks by its cosines, and says what it cannot do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from searching import pictures_of

from semcore.bundle.probability import Probability
from service.engine.protocol import Picture
from service.errors import DeadlineError, InvalidQueryError
from service.index.index import Index
from service.refusal.threshold import NO_THRESHOLD, Threshold
from service.schemas.answer import SearchAnswer
from service.search.guide_answer import answer_by_guide
from service.telemetry.stopwatch import Stopwatch
from service.traffic.deadline import Deadline

PAGE = slice(0, 5)


@pytest.fixture
def index(untrained: Path) -> Iterator[Index]:
    opened = Index(untrained)
    yield opened
    opened.close()


async def asked(
    index: Index,
    query: str | Picture = "two red boats",
    page: slice = PAGE,
    seconds: float = 60.0,
    threshold: Threshold = NO_THRESHOLD,
) -> SearchAnswer:
    side, deadline = pictures_of(index), Deadline(seconds)
    return await answer_by_guide(
        index.snapshot, side, query, page, Stopwatch(), deadline, threshold=threshold
    )


async def test_a_page_of_the_nearest(index: Index) -> None:
    answer, second = await asked(index), await asked(index, page=slice(5, 10))
    assert answer.guide == "only"
    assert answer.more
    both = [*answer.items, *second.items]
    assert [item.rank for item in both] == list(range(1, 11))
    cosines = [item.cosine or 0.0 for item in both]
    assert cosines == sorted(cosines, reverse=True)
    assert [item.score for item in both] == pytest.approx(cosines)
    every = await asked(index, page=slice(0, 1000))
    assert not every.more
    assert len(every.items) == index.bundle.manifest.counts["images"]


async def test_no_item_that_is_hardly_right(index: Index) -> None:
    """Pages are of what is left, and end with it."""
    plain = await asked(index, page=slice(0, 1000))
    cosines = [item.cosine or 0.0 for item in plain.items]
    probability = Probability(-40 * cosines[6], 40.0, 0.0)  # even for the seventh
    expected = probability.of(cosines).tolist()
    known = await asked(index, page=slice(0, 1000), threshold=Threshold(probability))
    assert [item.id for item in known.items] == [item.id for item in plain.items]
    assert [item.probability for item in known.items] == pytest.approx(expected)
    wanted = Threshold(probability, expected[6] - 1e-9)
    first = await asked(index, threshold=wanted)
    assert [item.id for item in first.items] == [item.id for item in plain.items[:5]]
    assert first.more
    second = await asked(index, page=slice(5, 10), threshold=wanted)
    assert [item.id for item in second.items] == [item.id for item in plain.items[5:7]]
    assert [item.rank for item in second.items] == [6, 7]
    assert not second.more
    nothing = await asked(index, threshold=Threshold(probability, 1.0))
    assert (nothing.items, nothing.more, nothing.guide) == ([], False, "only")


async def test_what_it_cannot_do(
    index: Index, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidQueryError, match="reads texts only"):
        await asked(index, Picture(Image.new("RGB", (8, 8)), "black"))
    with pytest.raises(DeadlineError):
        await asked(index, seconds=0.0)
    plain = Index(trained / "bundle")
    with pytest.raises(InvalidQueryError, match="has no guide"):
        await asked(plain)
    plain.close()
    monkeypatch.setattr("service.index.visible_items.EXACT_UP_TO", 10)
    many = Index(trained / "guided")
    assert (await asked(many)).items
    pictures_of(many).visible = None  # as of a bundle of before
    with pytest.raises(InvalidQueryError, match=r"more than .* without cells"):
        await asked(many)
    many.close()
    # Without a model nothing else could search.
    large = Index(index.bundle.path)
    assert (await asked(large)).items
    large.close()
