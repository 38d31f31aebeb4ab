"""The files by which the engine knows a side stay as they are while somebody has the side."""

import errno
from pathlib import Path

import numpy as np
import pytest

from semcore.errors import BundleError
from semcore.filter import Filter
from service.index import Index
from service.layer_files import are_gone
from service.snapshot import _FILTERED, Side


def live_edges(side: Side) -> bytes:
    ((_, live),) = side.files
    return Path(live).read_bytes()


def test_a_filter_made_anew_shares_no_files_with_the_older_one(few: Path) -> None:
    index = Index(few)

    def since(year: int) -> Side:
        wanted = Filter.model_validate({"not": {"field": "year", "lt": year}})
        side = index.snapshot.side("image", wanted)
        assert side is not None
        return side

    older = since(1992)
    assert since(1992) is older
    before = live_edges(older)
    for year in range(_FILTERED):
        since(year)
    newer = since(1992)
    assert newer is not older
    assert live_edges(newer) == before
    files = older.files
    del older  # as where the last search that had it has ended
    assert are_gone(files)
    assert not are_gone(newer.files)
    assert live_edges(newer) == before
    index.close()


def test_a_filter_without_room_leaves_nothing(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(few)
    wanted = Filter.model_validate({"field": "year", "gte": 1992})
    before = sorted(index.folder.iterdir())

    def full(path: str, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(BundleError, match="make room in"):
            index.snapshot.side("image", wanted)
    assert sorted(index.folder.iterdir()) == before
    assert index.snapshot.side("image", wanted) is not None
    index.close()
