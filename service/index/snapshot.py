"""What of an index can be found at one time: its bundle, without what was deleted since, and with
what was added. A search keeps the snapshot that it began with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import finalize

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap
from torch import Tensor

from semcore.bundle.calibration import Calibrations
from semcore.bundle.filter import Filter
from semcore.bundle.item import Item
from semcore.errors import BundleError
from semcore.guide.vectors import Quantised
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.tokens import trie_walk
from semcore.kind import KINDS, Kind
from semcore.model.training_record import LearnedGsv
from semcore.pictures.picture_source import PictureSource
from semcore.trie.branches import Gallery, Ordered
from semcore.trie.layers import Layer, Layers, bury, live_edges
from semcore.trie.trie import Trie
from semcore.trie.walk import Walk, file_names
from service.beams.side import Side
from service.index.filtered_sides import FilteredSides, filter_key
from service.index.open_bundle import OpenBundle
from service.index.snapshot_postings import SnapshotPostings
from service.index.visible_items import visible_items

if TYPE_CHECKING:
    from semcore.guide.guide import Guide

_numbers = count()  # in the names of files: no two sides share any, for they go with them


class Snapshot:
    """Immutable but for the filters that it remembers; the files of its sides go with them.

    Attributes:
        version: changes with whatever can be found.
        added: items of the journal, by number; the numbers follow those of the bundle.
        vectors: the guide's, of these items: int8 [dimension] each.
        gone: of each kind, what could be found in the bundle at first and was deleted since.
        postings: of the fields of metadata.
    """

    def __init__(
        self,
        bundle: OpenBundle,
        version: str,
        added: Mapping[int, Item],
        listed: BitMap | None,
        live: Mapping[Kind, NDArray[np.bool_]],
        known: Mapping[Kind, Side | None] | None = None,
        gone: Mapping[Kind, Ordered] | None = None,
        vectors: Mapping[int, Quantised] | None = None,
    ) -> None:
        """
        Args:
            listed: numbers of the items of the bundle that were not deleted; None: all.
            live: bool [edges of the walk], for kinds of which some were deleted.
            known: sides of kinds that are as they were in the snapshot before.
        """
        known = known or {}
        self._bundle = bundle
        self._number = next(_numbers)
        self.version = version
        self.added = added
        self.vectors = vectors or {}
        self._listed = listed
        self._live = live
        self.gone = gone or {kind: Ordered() for kind in KINDS}
        self.postings = SnapshotPostings(bundle, listed, added)
        self._numbers = {item.id: number for number, item in added.items()}
        self._sides = {
            kind: known[kind] if kind in known else self._side(kind, listed, live.get(kind), added)
            for kind in KINDS
        }
        self._filtered: FilteredSides[Side | None] = FilteredSides(
            bundle.filter_bytes, lambda side: 0 if side is None else side.size
        )

    @property
    def calibration(self) -> Calibrations:
        return self._bundle.calibration

    @property
    def gsv(self) -> LearnedGsv:
        """How the model has learned to verify."""
        return self._bundle.gsv

    @property
    def guide(self) -> Guide | None:
        """Of the bundle. Raises what :attr:`service.index.open_bundle.OpenBundle.guide` does."""
        return self._bundle.guide

    @property
    def has_guide(self) -> bool:
        return self._bundle.vectors is not None

    @property
    def table(self) -> Quantised:
        """The guide's vectors of the bundle's items, int8 [items, dimension], by number."""
        assert self._bundle.vectors is not None
        return self._bundle.vectors.rows

    @property
    def has_model(self) -> bool:
        """Whether identifiers can be generated; else the guide alone finds items."""
        return self._bundle.model is not None

    def vectors_of(self, numbers: Sequence[int] | NDArray[np.int64]) -> Quantised:
        """The guide's vectors of items, int8 [len(numbers), dimension]; zeros if it has none."""
        rows, added = self.table, self.vectors
        nothing = np.zeros(rows.shape[1], dtype=np.int8)
        return np.stack([rows[n] if n < len(rows) else added.get(int(n), nothing) for n in numbers])

    @property
    def deleted(self) -> int:
        """How many items of the bundle are gone."""
        return 0 if self._listed is None else self._bundle.count - len(self._listed)

    def side(self, kind: Kind) -> Side | None:
        """The identifiers of a kind of item; None if there are none."""
        return self._sides[kind]

    def knows(self, kind: Kind, wanted: Filter) -> bool:
        """Whether :meth:`filtered` answers at once."""
        return self._filtered.known(_key(kind, wanted)) is not None

    async def filtered(self, kind: Kind, wanted: Filter) -> Side | None:
        """As :meth:`side`, of those that pass a filter.

        A filter is worked out once, which takes time in proportion to the index.

        Raises :class:`BundleError` if there is no room for its files.
        """
        return await self._filtered.of(
            _key(kind, wanted), partial(self._filter_or_fail, kind, wanted)
        )

    def items(self, numbers: Sequence[int]) -> list[Item]:
        """The items of these numbers, in the same order."""
        stored = [number for number in numbers if number not in self.added]
        found = dict(zip(stored, self._bundle.store.of_numbers(stored), strict=True))
        return [self.added[n] if n in self.added else found[n] for n in numbers]

    def get(self, item_id: str) -> Item | None:
        """The item of this id, of any split, or None if there is none or it was deleted."""
        if item_id in self._numbers:
            return self.added[self._numbers[item_id]]
        if self._listed is not None and self.number(item_id) is None:
            return None
        return self._bundle.store.get(item_id)

    def number(self, item_id: str) -> int | None:
        """The number of that item."""
        if item_id in self._numbers:
            return self._numbers[item_id]
        number = self._bundle.store.number(item_id)
        is_gone = number is None or (self._listed is not None and number not in self._listed)
        return None if is_gone else number

    def gallery(self, kind: Kind) -> Gallery:
        """The items of the bundle that could be found at first, as a tree of identifiers."""
        return self._bundle.store.galleries[kind]

    @cached_property
    def came(self) -> Mapping[Kind, Ordered]:
        """The items that were added, as :attr:`gone` has those of the bundle that were deleted."""
        return {
            kind: Ordered((item.identifier, n) for n, item in _of_kind(self.added, kind).items())
            for kind in KINDS
        }

    def first(self, kind: Kind, beginning: str, most: int) -> list[Item]:
        """The first items whose identifiers begin so, those that were added before the others."""
        came = self.came[kind]
        numbers = [came.numbers[place] for place in came.below(beginning)[:most]]
        left = most - len(numbers)
        return self.items([*numbers, *self.gallery(kind).numbers(beginning, left, self._listed)])

    def cluster_words(self, global_id: int) -> list[str]:
        """What a cluster says, heaviest word first."""
        words = self._bundle.cluster_words
        return words[global_id] if global_id < len(words) else []

    def picture_source(self, item: Item) -> PictureSource | None:
        """As :meth:`service.index.open_bundle.OpenBundle.picture_source`."""
        return self._bundle.picture_source(item)

    def picture_key(self, item: Item) -> str:
        """What names the content of an item's picture."""
        return item.image if item.id in self._numbers else f"{self._bundle.version}:{item.id}"

    def visual_tokens(self, item: Item) -> Tensor | None:
        """What the offline job kept of an item's picture, float [tokens, hidden]."""
        pictures = self._bundle.pictures
        return None if pictures is None or item.id in self._numbers else pictures.get(item.id)

    def changed(
        self,
        version: str,
        deleted: Iterable[int],
        added: Mapping[int, Item],
        vectors: Mapping[int, Quantised] | None = None,
    ) -> Snapshot:
        """The snapshot that follows.

        Args:
            deleted: numbers of items of the bundle.
            added: all items of the journal, those of this snapshot that are left included.
            vectors: of these items.
        """
        listed, live, lost = self._listed, dict(self._live), dict(self.gone)
        gone = [number for number in deleted if listed is None or number in listed]
        changed: set[Kind] = set()
        if gone:
            listed = self._all if listed is None else listed.copy()
            listed -= BitMap(gone)
            own: dict[Kind, list[Item]] = {kind: [] for kind in KINDS}
            found = self._bundle.store.of_numbers(gone)
            for item in found:
                own[item.kind].append(item)
            gallery = self._bundle.manifest.settings.gallery
            for kind in KINDS:
                lost[kind] = lost[kind].with_more(
                    (item.identifier, number)
                    for number, item in zip(gone, found, strict=True)
                    if item.kind == kind and item.split in gallery
                )
            for kind, items in own.items():
                walk = self._bundle.walks.get(kind)
                if items:
                    changed.add(kind)
                if items and walk is not None:
                    before = live.get(kind)
                    after = np.ones(len(walk.codes), bool) if before is None else before.copy()
                    live[kind] = after
                    self._bury(walk, after, listed, items)
        known = {
            kind: side
            for kind, side in self._sides.items()
            if kind not in changed
            and _of_kind(added, kind).keys() == _of_kind(self.added, kind).keys()
        }
        return Snapshot(self._bundle, version, added, listed, live, known, lost, vectors)

    def _bury(
        self,
        walk: Walk,
        live: NDArray[np.bool_],
        listed: BitMap,
        items: Iterable[Item],
    ) -> None:
        layers = Layers([Layer(walk, None, listed)])
        spelling = self._bundle.spelling
        assert spelling is not None
        for item in items:
            for identifier in item.identifiers:
                tokens = spelling.tokens(Identifier.parse(identifier))
                spelled = layers.follow(tokens)
                if spelled is not None and not layers.items_of(spelled[1]):
                    bury(walk, live, tokens)

    @property
    def _all(self) -> BitMap:
        return BitMap(range(self._bundle.count))

    def _filter_or_fail(self, kind: Kind, wanted: Filter) -> Side | None:
        try:
            return self._filter(kind, wanted)
        except OSError as error:
            raise BundleError(
                f"the files of a filter cannot be written ({error}); make room in "
                f"{self._bundle.folder.parent}, or search without it"
            ) from error

    def _filter(self, kind: Kind, wanted: Filter) -> Side | None:
        added = {n: item for n, item in self.added.items() if wanted.matches(item.metadata)}
        walk = self._bundle.walks.get(kind)
        listed, live = self._bundle.passing(wanted), None
        if self._listed is not None:
            listed = listed & self._listed
        if walk is not None:
            live = live_edges(walk, listed)
        return self._side(kind, listed, live, added)

    def _side(
        self,
        kind: Kind,
        listed: BitMap | None,
        live: NDArray[np.bool_] | None,
        added: Mapping[int, Item],
    ) -> Side | None:
        folder = self._bundle.folder
        stem = folder / f"{kind}.+{self._number}.{next(_numbers)}"
        layers, files, written = [], [], []
        walk = self._bundle.walks.get(kind)
        try:
            if walk is not None and (live is None or live.any()):
                path = ""
                if live is not None:
                    path = f"{stem}.live.npy"
                    written.append(Path(path))
                    np.save(path, live, allow_pickle=False)
                layers.append(Layer(walk, live, listed))
                files.append((str(folder / kind), path))
            mine = _of_kind(added, kind)
            spelling = self._bundle.spelling
            if mine and spelling is not None:
                identifiers = [(item.identifier, number) for number, item in mine.items()]
                trie = Trie.build(identifier for identifier, _ in identifiers)
                more = trie_walk(trie, spelling, identifiers)
                written += [folder / name for name in file_names(stem.name)]
                more.save(stem)
                layers.append(Layer(more))
                files.append((str(stem), ""))
        except BaseException:
            _remove(written)
            raise
        seen = visible_items(self._bundle, kind, listed, mine)
        if not layers and (self.has_model or seen is None or seen.is_empty):
            return None
        side = Side(Layers(layers), tuple(files), seen)
        finalize(side, _remove, written)
        return side


def _key(kind: Kind, wanted: Filter) -> str:
    return f"{kind}:{filter_key(wanted)}"


def _of_kind(items: Mapping[int, Item], kind: Kind) -> dict[int, Item]:
    return {number: item for number, item in items.items() if item.kind == kind}


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
