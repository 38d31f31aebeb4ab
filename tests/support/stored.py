"""What counts look at of a bundle and of a snapshot, over items of a test."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyroaring import BitMap

from semcore.bundle.filter import Filter, Metadata
from semcore.bundle.item import ADDED, Item, ItemStore, write_items
from semcore.kind import Kind
from service.index.snapshot_postings import SnapshotPostings
from service.index.stored_postings import StoredPostings

GALLERY = ("test",)


def item(number: int, metadata: Metadata, kind: Kind = "image", split: str = "test") -> Item:
    """Ids are in the order of numbers."""
    name = f"{number:06}"
    return Item(name, kind, split, name, False, "a boat", "", "<g0> boat", (), metadata)


class StoredBundle:
    """The items of a store, in order of id, by number."""

    def __init__(self, path: Path, items: Sequence[Item], filter_bytes: int = 1_000_000) -> None:
        write_items(path, items)
        self.items = items
        self.store = ItemStore(path, GALLERY)
        self.filter_bytes = filter_bytes
        self.postings = StoredPostings(self.store, filter_bytes // 2)

    def in_gallery(self, kind: Kind) -> BitMap:
        return BitMap(
            n for n, one in enumerate(self.items) if one.kind == kind and one.split in GALLERY
        )

    def passing(self, wanted: Filter) -> BitMap:
        return self.store.listed(wanted)

    def snapshot(
        self, deleted: Collection[int] = (), added: Mapping[int, Item] | None = None
    ) -> Any:
        """As much of one as counts look at."""
        listed = BitMap(range(len(self.items))) - BitMap(deleted) if deleted else None
        bundle: Any = self
        return SimpleNamespace(postings=SnapshotPostings(bundle, listed, added or {}))


def added_item(number: int, metadata: Metadata, kind: Kind = "image") -> Item:
    return item(number, metadata, kind, ADDED)
