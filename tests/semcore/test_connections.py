"""Each thread has a connection of its own to a file that never changes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from semcore.bundle.item import Item, ItemStore, write_items

ITEMS = [Item(f"{n}", "text", "test", "p", False, "", "", "<g1> boat") for n in range(200)]


def test_threads_share_no_connection(tmp_path: Path) -> None:
    write_items(tmp_path / "items.sqlite", ITEMS)
    store = ItemStore(tmp_path / "items.sqlite", ("test",))
    with ThreadPoolExecutor(4) as threads:
        barrier = threading.Barrier(4)

        def own(_: int) -> object:
            barrier.wait()
            return store._connection

        assert len(set(threads.map(own, range(4)))) == 4
        rows = iter(store)
        next(rows)
        store.close()
        assert len(list(rows)) == 199  # what is being read is read to its end
        with pytest.raises(ValueError, match="closed"):
            store.get("1")
