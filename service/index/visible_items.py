"""Which items of an index the guide may find, and whether it looks at each or descends to them."""

from __future__ import annotations

from collections.abc import Iterable

from pyroaring import BitMap

from semcore.kind import Kind
from service.guide.visible import Visible
from service.index.open_bundle import OpenBundle

EXACT_UP_TO = 50_000
"""Items of a kind that are all looked at; of more a descent to the nearest is faster."""
EXACT_WITHOUT_CELLS = 100_000
"""The same in a bundle that has no cells to descend to."""


def visible_items(
    bundle: OpenBundle, kind: Kind, listed: BitMap | None, added: Iterable[int]
) -> Visible | None:
    """None where the guide only compares what the beams have found: without a guide, and with many
    items in a bundle that was built without cells, if it has a model.

    Args:
        listed: numbers of the items of the bundle that may be found; None: all.
        added: numbers of the added items of this kind that may be found.
    """
    if bundle.vectors is None:
        return None
    own = BitMap(list(added))
    cells = bundle.cells.get(kind)
    items = bundle.manifest.counts.get(f"{kind}s", 0)
    if cells is None and bundle.model is not None and items > EXACT_WITHOUT_CELLS:
        return None
    if cells is not None and listed is None and items > EXACT_UP_TO:
        return Visible(own, cells)
    found = bundle.in_gallery(kind)
    if listed is not None:
        found = found & listed
    if cells is not None and len(found) > EXACT_UP_TO:
        return Visible(own, cells, listed)
    return Visible(found | own)
