"""The guide encodes what is asked, and compares it with what may be found."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from searching import pictures_of

from semcore.bundle.filter import Filter
from semcore.guide.vectors import VectorTable, unit
from service.engine.protocol import Picture
from service.index.index import Index
from service.search.guidance import guidance


@pytest.fixture
def index(guided: Path) -> Iterator[Index]:
    opened = Index(guided)
    yield opened
    opened.close()


async def test_its_own_caption_finds_a_picture(index: Index, guided: Path) -> None:
    item = next(index.bundle.store.of_split("test", "image"))
    found = await guidance(index.snapshot, pictures_of(index), item.caption)
    assert found is not None
    numbers, cosines = await found.nearest(5)
    assert len(numbers) == 5
    assert item.id in [one.id for one in index.snapshot.items(numbers.tolist())]
    rows = unit(VectorTable(guided).rows[numbers])
    np.testing.assert_allclose(cosines, rows @ found.vector, atol=1e-5)
    np.testing.assert_allclose(await found.cosines(numbers[::-1]), cosines[::-1], atol=1e-6)


async def test_a_filter_holds_for_the_guide(index: Index) -> None:
    wanted = Filter.model_validate({"field": "none", "equals": 1})
    nothing = await index.snapshot.filtered("image", wanted)
    assert nothing is None
    every = await index.snapshot.filtered(
        "image", Filter.model_validate({"not": {"field": "none", "equals": 1}})
    )
    assert every is not None
    assert every.visible == pictures_of(index).visible


async def test_a_picture_that_asks_is_seen_by_the_model(index: Index) -> None:
    side = index.snapshot.side("text")
    assert side is not None
    picture = Picture(Image.new("RGB", (96, 96), "red"), "red")
    found = await guidance(index.snapshot, side, picture)
    assert found is not None
    assert len((await found.nearest(3))[0]) == 3
    assert await guidance(index.snapshot, side, Picture(None, "unseen")) is None


async def test_an_index_without_a_guide_has_none(trained: Path) -> None:
    index = Index(trained / "bundle")
    assert pictures_of(index).visible is None
    assert await guidance(index.snapshot, pictures_of(index), "a boat") is None
    index.close()


async def test_a_large_index_is_descended(
    guided: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = await guidance(index.snapshot, pictures_of(index), "a boat")
    monkeypatch.setattr("service.index.visible_items.EXACT_UP_TO", 10)
    large = Index(guided)
    seen = pictures_of(large).visible
    assert seen is not None
    assert seen.cells is not None
    found = await guidance(large.snapshot, pictures_of(large), "a boat")
    assert found is not None
    assert exact is not None
    numbers, _ = await found.nearest(5)
    assert numbers.tolist() == (await exact.nearest(5))[0].tolist()
    assert len(await found.cosines(np.arange(3))) == 3
    # A bundle of before has no cells.
    side = pictures_of(large)
    side.visible = None
    found = await guidance(large.snapshot, side, "a boat")
    assert found is not None
    assert [len(part) for part in await found.nearest(5)] == [0, 0]
    large.close()
