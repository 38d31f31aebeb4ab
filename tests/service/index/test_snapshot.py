"""The files by which the engine knows a side stay as they are while somebody has the side."""

import errno
from pathlib import Path

import numpy as np
import pytest

from semcore.bundle.filter import Filter
from semcore.errors import BundleError
from service.beams.layer_files import are_gone
from service.beams.side import Side
from service.index.index import Index


def live_edges(side: Side) -> bytes:
    ((_, live),) = side.files
    return Path(live).read_bytes()


async def test_a_filter_made_anew_shares_no_files_with_the_older_one(few: Path) -> None:
    index = Index(few, filter_bytes=5_000)

    async def since(year: int) -> Side:
        wanted = Filter.model_validate({"not": {"field": "year", "lt": year}})
        side = await index.snapshot.filtered("image", wanted)
        assert side is not None
        return side

    older = await since(1992)
    assert await since(1992) is older
    before = live_edges(older)
    for year in range(64):
        await since(year)
    newer = await since(1992)
    assert newer is not older
    assert live_edges(newer) == before
    files = older.files
    del older  # as where the last search that had it has ended
    assert are_gone(files)
    assert not are_gone(newer.files)
    assert live_edges(newer) == before
    index.close()


async def test_filters_are_kept_within_their_budget(few: Path) -> None:
    index = Index(few, filter_bytes=20_000)
    for year in range(100):
        wanted = Filter.model_validate({"field": "year", "in": [year, 1990, 1991, 1992, 1993]})
        assert await index.snapshot.filtered("image", wanted) is not None
    wanted = Filter.model_validate({"field": "none", "equals": 1})
    assert await index.snapshot.filtered("image", wanted) is None
    assert index.snapshot.knows("image", wanted)  # that there is nothing is known, too
    assert 10_000 < index.snapshot._filtered._kept.size <= 20_000
    assert index.bundle._passing.size <= 5_000
    index.close()


async def test_a_filter_without_room_leaves_nothing(
    few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(few)
    wanted = Filter.model_validate({"field": "year", "gte": 1992})
    before = sorted(index.bundle.folder.iterdir())

    def full(path: str, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(BundleError, match="make room in"):
            await index.snapshot.filtered("image", wanted)
    assert sorted(index.bundle.folder.iterdir()) == before
    assert await index.snapshot.filtered("image", wanted) is not None
    index.close()


def test_items_have_numbers_and_by_them_vectors(untrained: Path) -> None:
    index = Index(untrained)
    snapshot = index.snapshot
    item = next(index.bundle.store.of_split("test", "text"))
    number = snapshot.number(item.id)
    assert number is not None
    assert snapshot.items([number]) == [item] == [snapshot.get(item.id)]
    assert (snapshot.vectors_of([number])[0] == snapshot.table[number]).all()
    assert snapshot.number("none") is None
    assert snapshot.get("none") is None
    added = {index.bundle.count: item}
    vectors = {index.bundle.count: np.ones(snapshot.table.shape[1], np.int8)}
    following = snapshot.changed("next", [number], added, vectors)
    assert following.number(item.id) == index.bundle.count
    assert following.vectors_of([index.bundle.count]).all()
    without = snapshot.changed("none", [number], {})
    assert without.number(item.id) is None
    index.close()
