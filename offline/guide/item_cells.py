"""The cells of a bundle's items, written beside the guide's vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semcore.bundle.bundle import ITEMS
from semcore.bundle.item import ItemStore
from semcore.guide.cells import build_cells
from semcore.guide.vectors import VectorTable
from semcore.kind import KINDS


def write_cells(stage: Path, gallery: Sequence[str]) -> None:
    """Put the items that can be found into cells (:mod:`semcore.guide.cells`).

    Args:
        stage: the folder of a bundle with its items and the guide's vectors.
        gallery: the splits whose items can be found.
    """
    rows = VectorTable(stage).rows
    store = ItemStore(stage / ITEMS, gallery)
    for kind in KINDS:
        # The first identifier of an item is the one that it is known by.
        known: dict[int, str] = {}
        for identifier, number in store.identifiers(kind):
            known.setdefault(number, identifier)
        if known:
            build_cells(((text, number) for number, text in known.items()), rows).save(stage, kind)
    store.close()
