"""Diversity: answers that repeat themselves less, by the guide's vectors of their items."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semcore.bundle.calibration import Calibration
from semcore.guide.vectors import unit
from service.errors import InvalidQueryError
from service.index.snapshot import Snapshot
from service.metadata.arrangement import AS_FOUND, Arrangement, Groups
from service.search.candidates import Candidate, ranking
from service.search.gsv import Verdict

DUPLICATE = 0.98
"""The cosine between two items above which they are near-duplicates."""

Likeness = NDArray[np.float32]
"""Cosines between items, float32 [items, items]."""
Relevance = NDArray[np.float64]
"""Of each item, float64 [items], from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """Attributes:
    weight: of an item's likeness to those before it, beside its relevance; from 0 to 1.
    folds: whether near-duplicates are folded under the best of them.
    """

    weight: float = 0.0
    folds: bool = False

    @property
    def is_wanted(self) -> bool:
        return self.folds or self.weight > 0

    def check(self, snapshot: Snapshot) -> None:
        """Raises :class:`InvalidQueryError` if it is wanted of an index without a guide."""
        if self.is_wanted and not snapshot.has_guide:
            raise InvalidQueryError(
                "this index has no guide, which tells how alike items are; leave diversity and "
                "fold_duplicates out, or build the index with one"
            )


AS_RANKED = Diversity()
"""None is wanted."""


async def grouped(
    snapshot: Snapshot,
    candidates: Sequence[Candidate],
    verdicts: Sequence[Verdict],
    calibration: Calibration,
    wanted: Diversity,
    arrangement: Arrangement = AS_FOUND,
) -> Groups:
    """The places of the candidates as they are answered: near-duplicates folded, the others
    arranged by their metadata, then by maximal marginal relevance, as far as that is wanted.

    An item without a vector is like no other.
    """
    order = ranking(candidates, verdicts)
    if not wanted.is_wanted or not order:
        metadata = [one.item.metadata for one in candidates]
        return arrangement.arranged([[place] for place in order], metadata)
    return await asyncio.to_thread(
        _grouped, snapshot, candidates, order, relevance(candidates, verdicts, calibration), wanted,
        arrangement,
    )  # fmt: skip


def relevance(
    candidates: Sequence[Candidate], verdicts: Sequence[Verdict], calibration: Calibration
) -> Relevance:
    """What candidates are ranked by in the end, scaled so that the best has 1 and the last 0.

    Unverified candidates have no evidence, and stay below all verified ones.
    """
    judged = [
        calibration.weighed(one.score, verdict.odds, verdict.description)
        for one, verdict in zip(candidates, verdicts, strict=False)
    ]
    others = [calibration.weighed(one.score, None, None) for one in candidates[len(judged) :]]
    lift = min(judged) - max(others) if judged and others else 0.0
    told = np.array([*judged, *(one + min(lift, 0.0) for one in others)])
    told -= told.min()
    return np.asarray(told / (told.max() or 1.0))


def folded(alike: Likeness) -> Groups:
    """Each item with the later ones that are its near-duplicates; one that is near several is
    folded under the first.

    Args:
        alike: between the items, best first.
    """
    left = np.ones(len(alike), dtype=bool)
    groups = []
    for place in range(len(alike)):
        if left[place]:
            left[place] = False
            under = np.flatnonzero(left & (alike[place] > DUPLICATE))
            left[under] = False
            groups.append([place, *under.tolist()])
    return groups


def diversified(told: Relevance, alike: Likeness, weight: float) -> list[int]:
    """Items by maximal marginal relevance (Carbonell and Goldstein, 1998): the next is the one with
    the most of (1 - weight) · relevance - weight · cosine to the nearest of those before it; of
    equal ones the first.
    """
    gain = (1 - weight) * told
    repeated = np.zeros(len(told))  # the first repeats none
    left = np.ones(len(told), dtype=bool)
    order: list[int] = []
    for _ in range(len(told)):
        place = int(np.argmax(np.where(left, gain - weight * repeated, -np.inf)))
        left[place] = False
        repeated = np.maximum(repeated, alike[place]) if order else alike[place]
        order.append(place)
    return order


def _grouped(
    snapshot: Snapshot,
    candidates: Sequence[Candidate],
    order: Sequence[int],
    told: Relevance,
    wanted: Diversity,
    arrangement: Arrangement,
) -> Groups:
    rows = unit(snapshot.vectors_of([candidates[place].number for place in order]))
    alike = rows @ rows.T
    groups = folded(alike) if wanted.folds else [[place] for place in range(len(order))]
    groups = arrangement.arranged(groups, [candidates[place].item.metadata for place in order])
    if wanted.weight > 0:
        first = [group[0] for group in groups]
        chosen = diversified(told[order][first], alike[np.ix_(first, first)], wanted.weight)
        groups = [groups[place] for place in chosen]
    return [[order[place] for place in group] for group in groups]
