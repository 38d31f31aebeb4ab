"""Exact search among the guide's vectors, compiled: one pass over those that may be found."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from semcore.guide.vectors import Quantised
from service.index.snapshot import Snapshot

Numbers = NDArray[np.int64]
Cosines = NDArray[np.float32]


def nearest(
    snapshot: Snapshot, numbers: BitMap, query: Cosines, most: int
) -> tuple[Numbers, Cosines]:
    """The items with the highest cosines, best first, those of equal ones in order of number.

    Args:
        numbers: of the items that may be found; those without a vector are left out.
        query: float32 [dimension], unit length.

    Returns:
        Numbers int64 and cosines float32, both [at most ``most``].
    """
    wanted = np.frombuffer(numbers.to_array(), dtype=np.uint32).astype(np.int64)
    found = all_cosines(snapshot, wanted, query)
    if len(found) > most:
        # All that are as near as the last of them, so that equal ones come in order of number.
        limit = np.partition(found, len(found) - most)[len(found) - most]
        kept = np.flatnonzero(found >= limit)
        wanted, found = wanted[kept], found[kept]
    order = np.argsort(-found, kind="stable")[:most]
    order = order[found[order] > _NONE]
    return wanted[order], found[order]


def all_cosines(snapshot: Snapshot, numbers: Numbers, query: Cosines) -> Cosines:
    """Between a query and items, float32 [len(numbers)]; -2 where an item has no vector.

    Args:
        numbers: int64, of items of the bundle and of added ones.
        query: float32 [dimension], unit length.
    """
    found = np.full(len(numbers), _NONE, dtype=np.float32)
    table = snapshot.table
    stored = numbers < len(table)
    if stored.all():
        return _of_rows(table, numbers, query)
    found[stored] = _of_rows(table, numbers[stored], query)
    added = np.flatnonzero(~stored)
    rows = snapshot.vectors_of(numbers[added])
    found[added] = _of_rows(rows, np.arange(len(rows)), query)
    return found


_NONE = -2.0


def _of_rows(rows: Quantised, places: Numbers, query: Cosines) -> Cosines:
    found = np.empty(len(places), dtype=np.float32)
    _compiled()(rows, places, query, found)
    return found


@cache
def _compiled() -> Any:
    # Only when it is needed: where numba is imported before vLLM's worker starts, vLLM's search
    # for kernels stumbles over it.
    from numba import njit

    return njit(nogil=True, fastmath=True)(_cosines)


def _cosines(rows: Any, places: Any, query: Any, found: Any) -> None:
    dimension = rows.shape[1]
    for place in range(len(places)):
        row = rows[places[place]]
        dot = np.float32(0)
        square = np.float32(0)
        for at in range(dimension):
            value = np.float32(row[at])
            dot += value * query[at]
            square += value * value
        found[place] = dot / np.sqrt(square) if square > 0 else np.float32(-2)
