"""The guide looks at each item where they are few, and descends to them where they are many."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroaring import BitMap

from service.index.index import Index
from service.index.visible_items import visible_items


@pytest.fixture
def index(guided: Path) -> Iterator[Index]:
    opened = Index(guided)
    yield opened
    opened.close()


def test_all_of_few(index: Index) -> None:
    seen = visible_items(index.bundle, "image", None, [900])
    assert seen is not None
    assert seen.cells is None
    assert seen.numbers == index.bundle.in_gallery("image") | BitMap([900])
    seen = visible_items(index.bundle, "image", BitMap(range(0, 900, 2)), [])
    assert seen is not None
    assert list(seen.numbers) == [n for n in index.bundle.in_gallery("image") if n % 2 == 0]


def test_of_many_those_that_no_cell_holds(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.index.visible_items.EXACT_UP_TO", 10)
    seen = visible_items(index.bundle, "image", None, [900])
    assert seen is not None
    assert seen.cells is not None
    assert list(seen.numbers) == [900]
    assert seen.listed is None
    images = list(index.bundle.in_gallery("image"))
    many, few = BitMap(images[:20]), BitMap(images[:9])
    seen = visible_items(index.bundle, "image", many, [])
    assert seen is not None
    assert seen.cells is not None
    assert seen.listed == many
    seen = visible_items(index.bundle, "image", few, [])
    assert seen is not None
    assert seen.cells is None
    assert seen.numbers == few


def test_of_many_in_a_bundle_of_before(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.index.visible_items.EXACT_WITHOUT_CELLS", 10)
    cells = dict(index.bundle.cells)
    index.bundle.cells.clear()
    assert visible_items(index.bundle, "image", None, []) is None
    monkeypatch.setattr(index.bundle, "model", None)  # then nothing else could search
    seen = visible_items(index.bundle, "image", None, [])
    assert seen is not None
    assert len(seen.numbers) == len(cells["image"].items)


def test_an_index_without_a_guide(trained: Path) -> None:
    index = Index(trained / "bundle")
    assert visible_items(index.bundle, "image", None, []) is None
    index.close()
