"""Items read from the store are those that it holds, also in another process."""

import pickle
from pathlib import Path

from offline.stored_items import StoredItems
from semcore.item import ItemStore


def test_reads_what_the_store_holds(trained: Path) -> None:
    items = StoredItems.of_split(trained / "bundle", "train")
    store = ItemStore(trained / "bundle/items.sqlite", ("train",))
    expected = [*store.of_split("train", "image"), *store.of_split("train", "text")]
    assert list(items) == expected
    assert (len(items), items[0], items[-1]) == (len(expected), expected[0], expected[-1])
    assert list(items[3:9:2]) == expected[3:9:2]
    assert list(items.chosen([5, 2])) == [expected[5], expected[2]]
    assert list(pickle.loads(pickle.dumps(items))) == expected
