"""What lies behind a recall: where beams lose items, whether scores can be believed, what
verification changes, and which wrong answers may be right ones that nobody annotated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from offline.evaluation.query_runner import Answered
from offline.training.pairs import captions_of_pairs
from semcore.bundle.item import Item
from semcore.identifiers.encoder import Encoder

_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of like confidence, as shares: what they promised and what they kept."""

    confidence: float
    accuracy: float
    answers: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Attributes:
    error: expected calibration error, the mean of |accuracy - confidence| over the answers.
    """

    bins: list[Bin]
    error: float


@dataclass(frozen=True, slots=True)
class Flips:
    """Queries, by id, whose first item verification put right, and those it put wrong."""

    gained: list[str]
    lost: list[str]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A first item that counts as wrong although it is said to show much the same.

    Attributes:
        likeness: cosine of the captions of both pairs.
    """

    query: str
    found: str
    likeness: float


def survival(answered: Sequence[Answered]) -> list[float]:
    """After each step from 0 on the share of the queries a right item of which the beams could
    still reach; the last one is the share that was found."""
    lost = [one.lost_at for one in answered if one.lost_at is not None]
    last = max(lost, default=0)
    return [1.0 - sum(step <= at for step in lost) / len(answered) for at in range(last + 1)]


def reliability(answered: Sequence[Answered]) -> Reliability:
    """Whether first items are right as often as they are said to be (Guo et al., 2017)."""
    promised = np.array([one.confidence for one in answered])
    kept = np.array([one.verified == 1 for one in answered])
    bins = []
    places = np.minimum((promised * _BINS).astype(int), _BINS - 1)
    for place in np.unique(places):
        mine = places == place
        bins.append(Bin(float(promised[mine].mean()), float(kept[mine].mean()), int(mine.sum())))
    error = sum(one.answers * abs(one.accuracy - one.confidence) for one in bins)
    return Reliability(bins, error / len(answered))


def flips(answered: Sequence[Answered]) -> Flips:
    gained = [one.query for one in answered if one.verified == 1 and one.beam != 1]
    lost = [one.query for one in answered if one.verified != 1 and one.beam == 1]
    return Flips(gained, lost)


def suspects(
    answered: Sequence[Answered], items: Mapping[str, Item], encoder: Encoder, most: int
) -> list[Suspect]:
    """The wrong first items whose captions are most like those of the query's pair (paper 4.4.3).

    Args:
        items: all of the split, by id.
    """
    wrong = [one for one in answered if one.verified != 1 and one.items]
    captions = captions_of_pairs(items.values())
    known = [
        (items[one.query], items[one.items[0].id]) for one in wrong if one.items[0].id in items
    ]
    known = [both for both in known if all(item.pair in captions for item in both)]
    if not known:
        return []
    ours, theirs = (
        encoder.encode([captions[both[side].pair] for both in known]) for side in (0, 1)
    )
    likeness = (ours * theirs).sum(axis=1)
    order = np.argsort(-likeness, kind="stable")[:most]
    return [Suspect(known[at][0].id, known[at][1].id, float(likeness[at])) for at in order]
