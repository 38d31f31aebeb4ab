"""Items that stay in the bundle's store and are read when they are needed.

Millions of pairs are trained on without being held in memory: what is kept of an item is its
number.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.errors import ModelError
from semcore.kind import KINDS

_CHUNK = 500


class StoredItems(Sequence[Item]):
    """Some items of a bundle, in an order of their own. Each process reads by its own connection,
    so that data loaders may have workers."""

    def __init__(self, store: Path, numbers: NDArray[np.int64]) -> None:
        self._path = store
        self._numbers = numbers
        self._opened: tuple[int, ItemStore] | None = None

    @classmethod
    def of_split(cls, bundle: Path, split: str) -> StoredItems:
        """All items of a split: images first, then texts, each in order of id."""
        path = bundle / "items.sqlite"
        store = ItemStore(path, (split,))
        numbers = [number for kind in KINDS for number in store.numbers(split, kind)]
        store.close()
        return cls(path, np.array(numbers, dtype=np.int64))

    def chosen(self, places: Sequence[int]) -> StoredItems:
        """Those at ``places``."""
        return StoredItems(self._path, self._numbers[np.asarray(places, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> StoredItems: ...
    def __getitem__(self, place: int | slice) -> Item | StoredItems:
        if isinstance(place, slice):
            return StoredItems(self._path, self._numbers[place])
        return self._store().of_numbers([int(self._numbers[place])])[0]

    def __iter__(self) -> Iterator[Item]:
        for start in range(0, len(self), _CHUNK):
            yield from self._store().of_numbers(self._numbers[start : start + _CHUNK].tolist())

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": None}

    def _store(self) -> ItemStore:
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), ItemStore(self._path, ()))
        return self._opened[1]


def training_items(bundle: Path) -> StoredItems:
    """All items of the training split. Raises :class:`ModelError` if there are none."""
    items = StoredItems.of_split(bundle, "train")
    if not items:
        raise ModelError(f"{bundle} has no items of the split 'train' to learn from")
    return items


def held_out(items: StoredItems, share: float) -> tuple[StoredItems, StoredItems]:
    """What stage 1 learns from and what stage 2 searches in: all for both if ``share`` is 0.

    The pairs held out are the last ones, which leaves near-duplicates together.
    """
    if not share:
        return items, items
    pairs = [item.pair for item in items]
    shown = list(dict.fromkeys(item.pair for item in items if item.kind == "image"))
    last = set(shown[len(shown) - round(share * len(shown)) :])
    if not last:
        return items, items
    known = [place for place, pair in enumerate(pairs) if pair not in last]
    fresh = [place for place, pair in enumerate(pairs) if pair in last]
    return items.chosen(known), items.chosen(fresh)


def indexed_items(bundle: Path, share: float, seed: int) -> list[Item]:
    """``share`` of the items that can be found and are not of the training split, by pair."""
    splits = [split for split in read_manifest(bundle).settings.gallery if split != "train"]
    store = ItemStore(bundle / "items.sqlite", splits)
    items = [item for split in splits for kind in KINDS for item in store.of_split(split, kind)]
    store.close()
    pairs = sorted({item.pair for item in items})
    chosen = set(random.Random(seed).sample(pairs, round(share * len(pairs))))
    return [item for item in items if item.pair in chosen]
