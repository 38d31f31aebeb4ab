"""Canary queries: a few searches that a bundle carries, with what they should find.

The service asks them before it swaps indexes. Of items that can be found, texts ask for their
pictures and pictures for their texts; texts that no identifier was made of come first.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from semcore.bundle.item import Item, ItemStore
from semcore.errors import BundleError
from semcore.kind import DIRECTIONS, Direction, Kind, target_kind
from semcore.model.prompt import excerpt

CANARY = "canary.json"
_QUERIES = 32
_LOOKED_AT = 10_000


class CanaryQuery(BaseModel):
    """Attributes:
    query: the text, or the id of the item whose picture asks.
    pair: the picture that the query belongs to, and all that it should find.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    direction: Direction
    query: str
    pair: str


_FILE = TypeAdapter(list[CanaryQuery])


def choose_canary(store: ItemStore, gallery: Sequence[str], seed: int) -> list[CanaryQuery]:
    """Up to 32 queries of each direction, drawn from the first items of the gallery's splits."""
    chosen: list[CanaryQuery] = []
    for direction in DIRECTIONS:
        wanted = target_kind(direction)
        asking: Kind = "text" if wanted == "image" else "image"
        items = list(_first(store, gallery, asking))
        random.Random(seed).shuffle(items)
        items.sort(key=lambda item: not item.held_out)
        chosen += [
            CanaryQuery(
                direction=direction,
                query=excerpt(item.caption) if asking == "text" else item.id,
                pair=item.pair,
            )
            for item in items[:_QUERIES]
        ]
    return chosen


def write_canary(folder: Path, queries: Sequence[CanaryQuery]) -> None:
    (folder / CANARY).write_bytes(_FILE.dump_json(list(queries), indent=1))


def read_canary(folder: Path) -> list[CanaryQuery]:
    """Empty for a bundle that carries none. Raises :class:`BundleError` if they are damaged."""
    path = folder / CANARY
    if not path.exists():
        return []
    try:
        return _FILE.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BundleError(f"{path} cannot be read ({error}); train the bundle again") from error


def _first(store: ItemStore, gallery: Sequence[str], kind: Kind) -> Iterator[Item]:
    left = _LOOKED_AT
    for split in reversed(gallery):  # test items before those of training
        for item in store.of_split(split, kind):
            if not left:
                return
            left -= 1
            yield item
