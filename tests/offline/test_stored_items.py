"""Items read from the store are those that it holds, also in another process."""

import os
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest

from offline import stored_items
from offline.stored_items import StoredItems
from semcore.bundle.item import ItemStore


def test_reads_what_the_store_holds(trained: Path) -> None:
    items = StoredItems.of_split(trained / "bundle", "train")
    store = ItemStore(trained / "bundle/items.sqlite", ("train",))
    expected = [*store.of_split("train", "image"), *store.of_split("train", "text")]
    assert list(items) == expected
    assert (len(items), items[0], items[-1]) == (len(expected), expected[0], expected[-1])
    assert list(items[3:9:2]) == expected[3:9:2]
    assert list(items.chosen([5, 2])) == [expected[5], expected[2]]


def test_a_process_that_was_forked_opens_the_store_for_itself(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = StoredItems.of_split(trained / "bundle", "train")
    opened: list[Path] = []

    class Counted(ItemStore):
        def __init__(self, path: Path, gallery: Sequence[str]) -> None:
            opened.append(path)
            super().__init__(path, gallery)

    monkeypatch.setattr(stored_items, "ItemStore", Counted)
    first = items[0]
    assert items[0] == first
    assert len(opened) == 1
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert items[0] == first
    assert len(opened) == 2


def test_goes_to_other_processes(trained: Path) -> None:
    items = StoredItems.of_split(trained / "bundle", "train")
    first = items[0]
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(list, (items[:3],))[0] == first
