"""The items nearest to a query: of few the exact ones, of many those that a descent comes to."""

from __future__ import annotations

import numpy as np

from service.guide.cosines import NONE, Cosines, Numbers, Rows, all_cosines, as_numbers
from service.guide.descent import promising
from service.guide.visible import Visible


def nearest(rows: Rows, visible: Visible, query: Cosines, most: int) -> tuple[Numbers, Cosines]:
    """The items with the highest cosines, best first, those of equal ones in order of number.

    Args:
        visible: the items that may be found; those without a vector are left out.
        query: float32 [dimension], unit length.

    Returns:
        Numbers int64 and cosines float32, both [at most ``most``].
    """
    wanted = as_numbers(visible.numbers)
    if visible.cells is not None:
        wanted = np.concatenate([promising(visible.cells, visible.listed, query), wanted])
    found = all_cosines(rows, wanted, query)
    if len(found) > most:
        # All that are as near as the last of them, so that equal ones come in order of number.
        limit = np.partition(found, len(found) - most)[len(found) - most]
        kept = np.flatnonzero(found >= limit)
        wanted, found = wanted[kept], found[kept]
    order = np.lexsort((wanted, -found))[:most]
    order = order[found[order] > NONE]
    return wanted[order], found[order]
