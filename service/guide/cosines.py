"""Cosines between a query and the guide's vectors of items, compiled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from semcore.guide.vectors import Quantised

Numbers = NDArray[np.int64]
Cosines = NDArray[np.float32]
NONE = -2.0
"""In place of the cosine of an item that has no vector."""


class Rows(Protocol):
    """The vectors of all items by number, as a snapshot has them.

    Attributes:
        table: int8 [items, dimension], those of the bundle.
    """

    @property
    def table(self) -> Quantised: ...

    def vectors_of(self, numbers: Sequence[int] | NDArray[np.int64]) -> Quantised:
        """Those of added items, int8 [len(numbers), dimension]; zeros where there is none."""
        ...


def all_cosines(rows: Rows, numbers: Numbers, query: Cosines) -> Cosines:
    """Between a query and items, float32 [len(numbers)]; -2 where an item has no vector.

    Args:
        numbers: int64, of items of the bundle and of added ones.
        query: float32 [dimension], unit length.
    """
    found = np.full(len(numbers), NONE, dtype=np.float32)
    table = rows.table
    stored = numbers < len(table)
    if stored.all():
        return cosines_of_rows(table, numbers, query)
    found[stored] = cosines_of_rows(table, numbers[stored], query)
    added = np.flatnonzero(~stored)
    others = rows.vectors_of(numbers[added])
    found[added] = cosines_of_rows(others, np.arange(len(others)), query)
    return found


def cosines_of_rows(table: Quantised, places: Numbers, query: Cosines) -> Cosines:
    """Between a query and some rows of a table, float32 [len(places)]; -2 where a row is zeros."""
    found = np.empty(len(places), dtype=np.float32)
    _compiled()(table, places, query, found)
    return found


def as_numbers(numbers: BitMap) -> Numbers:
    """The numbers of a set as an array, int64, ascending."""
    return np.frombuffer(numbers.to_array(), dtype=np.uint32).astype(np.int64)


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
