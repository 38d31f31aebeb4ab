"""The descent: from clusters to cells and on to items, the nearest to a query. Of
the items a bounded number is looked at; of the cells the best quarter of the clusters'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from semcore.guide.cells import Cells
from service.guide.cosines import Cosines, Numbers, as_numbers, cosines_of_rows

FEWEST_LOOKS, LOOKS = 5_000, 10_000
"""Items that may be found, of those that are compared with a query: one in twenty, within these
bounds."""
_SHARE = 20
_MOST_LOOKS = 16  # times as many are taken from their cells, where a filter leaves few of them
_WIDE = 0.25  # of the clusters
_SORTED = 4096  # cells


def promising(cells: Cells, listed: BitMap | None, query: Cosines) -> Numbers:
    """The items of the cells that most likely hold the nearest to a query, int64.

    Args:
        listed: numbers of the items that may be found; None: all.
        query: float32 [dimension], unit length.
    """
    found: list[Numbers] = []
    count = taken = 0
    looks = min(LOOKS, max(FEWEST_LOOKS, len(cells.items) // _SHARE))
    for numbers in _by_cell(cells, query, looks):
        taken += len(numbers)
        if listed is not None:
            numbers = as_numbers(BitMap(numbers.astype(np.uint32)) & listed)
        found.append(numbers)
        count += len(numbers)
        if count >= looks or taken >= _MOST_LOOKS * looks:
            break
    return np.concatenate(found)


def _by_cell(cells: Cells, query: Cosines, looks: int) -> Iterator[Numbers]:
    """All items in portions of at least ``looks``, those of the best cells first."""
    # 1. The best clusters, one in four, and what else has to be taken.
    sizes = cells.starts[cells.first_cell]
    best = np.argsort(-_reach(cells, np.arange(cells.clusters), np.diff(sizes), query))
    wide = max(1, round(_WIDE * len(best)))
    for clusters in (best[:wide], best[wide:]):
        # 2. Their cells, the best first.
        own = _ranges(cells.first_cell[clusters], cells.first_cell[clusters + 1])
        if not len(own):
            continue
        counts = cells.starts[own + 1] - cells.starts[own]
        reach = _reach(cells, cells.clusters + own, counts, query)
        for order in _best_first(reach):
            yield from _items(cells, own[order], looks)


def _items(cells: Cells, chosen: Numbers, looks: int) -> Iterator[Numbers]:
    """The items of some cells, of as many at a time as hold enough to look at."""
    ends = np.cumsum(cells.starts[chosen + 1] - cells.starts[chosen])
    low = 0
    while low < len(chosen):
        before = ends[low - 1] if low else 0
        high = min(len(chosen), int(ends.searchsorted(before + looks)) + 1)
        own = chosen[low:high]
        yield cells.items[_ranges(cells.starts[own], cells.starts[own + 1])].astype(np.int64)
        low = high


def _best_first(reach: Cosines) -> Iterator[Numbers]:
    """The places of all cells in two portions, since most searches need the first one only, and all
    of them take longer to sort than to compare."""
    if len(reach) <= _SORTED:
        yield np.argsort(-reach, kind="stable")
        return
    parted = np.argpartition(-reach, _SORTED)
    for portion in (parted[:_SORTED], parted[_SORTED:]):
        yield portion[np.argsort(-reach[portion], kind="stable")]


def _reach(cells: Cells, nodes: Numbers, sizes: Numbers, query: Cosines) -> Cosines:
    """The cosine that is expected of the nearest item below each node.

    The cosines of n items with a mean m are taken as normal about q·m. Unit vectors leave
    1 - |m|² for their variance in all dimensions together, and the largest of n normal values lies
    about sqrt(2 ln n) deviations above the mean.
    """
    lengths = cells.lengths[nodes]
    means = lengths * cosines_of_rows(cells.means, nodes, query)
    spread = np.sqrt(np.maximum(0, 1 - lengths**2) / cells.means.shape[1])
    return np.asarray(means + spread * np.sqrt(2 * np.log(sizes)), dtype=np.float32)


def _ranges(starts: NDArray[np.integer[Any]], stops: NDArray[np.integer[Any]]) -> Numbers:
    """The numbers of several ranges, one range after the other."""
    lengths = stops.astype(np.int64) - starts
    ends = np.cumsum(lengths)
    return np.repeat(stops - ends, lengths) + np.arange(ends[-1] if len(ends) else 0)
