"""The store returns what was written, and shows only the gallery by identifier."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from semcore.bundle.item import Item, ItemStore, write_items
from semcore.errors import BundleError

ITEMS = [
    Item("a", "image", "test", "a", False, "two boats", "a.png", "<g1> boats"),
    Item("a#0", "text", "test", "a", True, "two boats", "", "<g1> boats"),
    Item("b", "image", "train", "b", False, "boats", "b.png", "<g1> boats"),
]


def test_keeps_items(tmp_path: Path) -> None:
    write_items(tmp_path / "items.sqlite", ITEMS)
    store = ItemStore(tmp_path / "items.sqlite", ("test",))
    assert list(store) == ITEMS
    assert store.get("a#0") == ITEMS[1]
    assert store.get("'; DROP TABLE items") is None
    assert list(store.identifiers("image")) == [("<g1> boats", 0)]
    assert store.of_numbers([2, 0, 2]) == [ITEMS[2], ITEMS[0], ITEMS[2]]
    assert store.of_numbers([]) == []
    with pytest.raises(KeyError):
        store.of_numbers([3])
    assert list(store.of_split("train", "image")) == ITEMS[2:]
    store.close()


def test_asks_for_more_items_than_sqlite_takes_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is 32,767, or 250,000 on Debian."""
    connect = sqlite3.connect

    def limited(*arguments: Any, **more: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **more)
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 20)
        return connection

    items = [replace(ITEMS[0], id=f"{number:02}") for number in range(50)]
    write_items(tmp_path / "items.sqlite", items)
    monkeypatch.setattr(sqlite3, "connect", limited)
    store = ItemStore(tmp_path / "items.sqlite", ("test",))
    numbers = list(reversed(range(50)))
    assert store.of_numbers(numbers) == [items[number] for number in numbers]
    store.close()


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be opened"):
        ItemStore(tmp_path / "none", ())
