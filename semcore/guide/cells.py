"""Cells: the items of one kind by cluster and keyword, with what the guide knows of each cell.

A descent from the clusters to the cells, and from these to items, finds the items that are nearest
to a query without a look at each (:mod:`service.guide.descent`). A *cell* holds the items of one
cluster that share a keyword: of an item's keywords the one that most of its cluster have, as long
as these are no more than :data:`FULL`, so that cells are neither tiny nor large.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semcore.guide.vectors import Quantised, map_rows, quantised, save_rows, unit
from semcore.identifiers.identifier import Identifier

FULL = 64
"""Items that a keyword of a cell has, unless all keywords of an item have more."""
_ARRAYS = ("items", "starts", "first_cell", "means", "lengths")
_CHUNK = 65_536  # items


@dataclass(frozen=True)
class Cells:
    """N items in C cells of K clusters. Nodes are the clusters, and after them the cells.

    Attributes:
        items: int32 [N], numbers, cell by cell.
        starts: int64 [C + 1], cell c has items[starts[c] : starts[c + 1]].
        first_cell: int32 [K + 1], cluster k has the cells first_cell[k] up to first_cell[k + 1].
        means: int8 [K + C, dimension], the direction of each node's mean vector.
        lengths: float32 [K + C], the length of that mean: 1 where all vectors are the same.
    """

    items: NDArray[np.int32]
    starts: NDArray[np.int64]
    first_cell: NDArray[np.int32]
    means: Quantised
    lengths: NDArray[np.float32]

    @property
    def clusters(self) -> int:
        return len(self.first_cell) - 1

    def save(self, folder: Path, kind: str) -> None:
        """Write the files of :func:`cell_files` into the folder of a bundle."""
        for name, file in zip(_ARRAYS, cell_files(kind), strict=True):
            save_rows(folder / file, getattr(self, name))

    @classmethod
    def load(cls, folder: Path, kind: str) -> Cells:
        """Map the files. Raises :class:`BundleError` that names one it cannot read."""
        files = [folder / name for name in cell_files(kind)]
        return cls(*(map_rows(file, str(file)) for file in files))


def cell_files(kind: str) -> list[str]:
    """The names of the files that hold the cells of a kind of item."""
    return [f"{kind}.cells.{name}.npy" for name in _ARRAYS]


def build_cells(identified: Iterable[tuple[str, int]], rows: Quantised) -> Cells:
    """Put items into cells.

    Args:
        identified: the identifier and number of each item, at least one.
        rows: int8 [all items, dimension], the guide's vectors by number.
    """
    items, clusters, shared = _sorted_by_cell(identified)
    # 1. Where cells and clusters begin.
    first = np.flatnonzero(np.append(True, (np.diff(clusters) != 0) | (np.diff(shared) != 0)))
    starts = np.append(first, len(items))
    first_cell = np.append(np.flatnonzero(np.append(True, np.diff(clusters[first]))), len(first))
    # 2. The mean of each.
    sums = _sums(rows, items, starts)
    sizes = np.diff(starts)
    of_clusters = np.add.reduceat(sums, first_cell[:-1]), np.add.reduceat(sizes, first_cell[:-1])
    means = (
        np.concatenate([of_clusters[0], sums]) / np.concatenate([of_clusters[1], sizes])[:, None]
    )
    return Cells(
        items=items.astype(np.int32),
        starts=starts.astype(np.int64),
        first_cell=first_cell.astype(np.int32),
        means=quantised(means),
        lengths=np.linalg.norm(means, axis=1).astype(np.float32),
    )


def _sorted_by_cell(
    identified: Iterable[tuple[str, int]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The numbers of the items, cell by cell, and the cluster and the keyword of each, as numbers
    of their own."""
    known: dict[str, int] = {}
    numbers, clusters, owners, words = [], [], [], []
    for row, (identifier, number) in enumerate(identified):
        cluster, *others = Identifier.parse(identifier).parts
        numbers.append(number)
        clusters.append(known.setdefault(cluster, len(known)))
        for word in dict.fromkeys(others or [""]):
            owners.append(row)
            words.append(known.setdefault(word, len(known)))
    of_item = np.array(clusters, dtype=np.int64)
    owner = np.array(owners, dtype=np.int64)
    # How many items of the cluster have each keyword; of an item's the best come last.
    pairs = of_item[owner] * len(known) + np.array(words, dtype=np.int64)
    _, place, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    count = counts[place]
    worth = np.where(count <= FULL, count, -count)
    order = np.lexsort((pairs, worth, owner))
    last = np.append(np.flatnonzero(np.diff(owner[order])), len(order) - 1)
    chosen = pairs[order[last]] % len(known)
    items = np.array(numbers, dtype=np.int64)
    by_cell = np.lexsort((items, chosen, of_item))
    return items[by_cell], of_item[by_cell], chosen[by_cell]


def _sums(
    rows: Quantised, items: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The sum of the unit vectors of each cell, float32 [cells, dimension]."""
    cells = len(starts) - 1
    sums = np.empty((cells, rows.shape[1]), dtype=np.float32)
    low = 0
    while low < cells:
        high = max(low + 1, int(starts.searchsorted(starts[low] + _CHUNK, side="right")) - 1)
        own = starts[low : high + 1] - starts[low]
        vectors = unit(rows[items[starts[low] : starts[high]]])
        sums[low:high] = np.add.reduceat(vectors, own[:-1])
        low = high
    return sums
