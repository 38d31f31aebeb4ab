"""The tree of identifiers: from clusters word by word down to the items, as it is shown."""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel, Field

from semcore.identifiers.identifier import Identifier
from semcore.kind import Kind
from semcore.trie.places import Branch, in_order
from service.index.snapshot import Snapshot
from service.schemas.answer import ItemAnswer
from service.schemas.item_answer import item_answer

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

    Args:
        beginning: parts of an identifier, one space between two; none for the root.
        most: of the branches, the largest.
        shown: items.
    """
    gallery, came, gone = snapshot.gallery(kind), snapshot.came[kind], snapshot.gone[kind]
    more = Counter(dict(came.following(beginning)))
    more.subtract(dict(gone.following(beginning)))
    # Only those that have become smaller may leave the largest ones to others.
    place = gallery.place(beginning, most + len(more), more)
    counts = Counter(place.counts)
    counts.update(more)
    found = [branch for branch in in_order(Branch(*one) for one in counts.items()) if branch.items]
    branches = place.branches + sum(
        (counts[one] > 0) - (place.counts.get(one, 0) > 0) for one in more
    )
    shared = () if beginning else gallery.shared(_SHARED)
    return TreeAnswer(
        kind=kind,
        identifier=beginning,
        count=place.items + len(came.below(beginning)) - len(gone.below(beginning)),
        branches=[_branch(snapshot, branch, place.usual) for branch in found[:most]],
        more_branches=max(0, branches - most),
        items=[item_answer(item) for item in snapshot.first(kind, beginning, shown)],
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
