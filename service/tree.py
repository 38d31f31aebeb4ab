"""The tree of identifiers: from clusters word by word down to the items, as it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median

from pydantic import BaseModel, Field

from semcore.branches import Branch
from semcore.identifier import Identifier
from semcore.item import Item, Kind
from service.answer import ItemAnswer
from service.candidates import item_answer
from service.snapshot import Snapshot

_ODD = 4  # times the median's size, or a fourth of it
_SHARED = 20


class BranchAnswer(BaseModel):
    """What identifiers may go on with."""

    identifier: str = Field(description="from its first part to this one")
    items: int = Field(description="those below")
    words: list[str] = Field(default=[], description="what a cluster says, heaviest word first")
    odd: bool = Field(
        default=False, description="a cluster four times as large or small as most are"
    )


class TreeAnswer(BaseModel):
    """A place in the tree of identifiers."""

    kind: Kind
    identifier: str = Field(description="from its first part to this place; empty: all")
    count: int = Field(description="items here and below")
    branches: list[BranchAnswer] = Field(description="largest first")
    more_branches: int = Field(description="those that are too many to be told")
    items: list[ItemAnswer] = Field(description="the first ones here and below")
    shared: list[BranchAnswer] = Field(
        description="at the root: the identifiers that most items share"
    )


def tree(snapshot: Snapshot, kind: Kind, beginning: str, most: int, shown: int) -> TreeAnswer:
    """What follows a beginning of identifiers.

    Takes time in proportion to the items below when it is asked for the first time.

    Args:
        beginning: parts of an identifier, one space between two; none for the root.
        most: of the branches, the largest.
        shown: items.
    """
    gallery = snapshot.gallery(kind)
    gone = [item for item in snapshot.gone(kind) if _is_below(item, beginning)]
    added = [
        item for item in snapshot.added.values() if item.kind == kind and _is_below(item, beginning)
    ]
    counts = Counter({branch.identifier: branch.items for branch in gallery.branches(beginning)})
    depth = len(beginning.split())
    counts.update(_children(added, depth))
    counts.subtract(_children(gone, depth))
    found = sorted((+counts).items(), key=lambda branch: (-branch[1], branch[0]))
    shared = () if beginning else gallery.shared(_SHARED)
    numbers = gallery.numbers(beginning, shown + len(gone))
    lost = {item.id for item in gone}
    items = [*added, *(item for item in snapshot.items(numbers) if item.id not in lost)]
    usual = median(count for _, count in found) if found else 0
    return TreeAnswer(
        kind=kind,
        identifier=beginning,
        count=gallery.count(beginning) - len(gone) + len(added),
        branches=[_branch(snapshot, Branch(*one), usual) for one in found[:most]],
        more_branches=max(0, len(found) - most),
        items=[item_answer(item) for item in items[:shown]],
        shared=[BranchAnswer(identifier=one.identifier, items=one.items) for one in shared],
    )


def _branch(snapshot: Snapshot, branch: Branch, usual: float) -> BranchAnswer:
    identifier = Identifier.parse(branch.identifier)
    if identifier.global_id is None or identifier.lexical_id:
        return BranchAnswer(identifier=branch.identifier, items=branch.items)
    return BranchAnswer(
        identifier=branch.identifier,
        items=branch.items,
        words=snapshot.cluster_words(identifier.global_id),
        odd=not usual <= _ODD * branch.items <= _ODD**2 * usual,
    )


def _children(items: Iterable[Item], depth: int) -> list[str]:
    parts = [item.identifier.split(" ") for item in items]
    return [" ".join(one[: depth + 1]) for one in parts if len(one) > depth]


def _is_below(item: Item, beginning: str) -> bool:
    return not beginning or f"{item.identifier} ".startswith(f"{beginning} ")
