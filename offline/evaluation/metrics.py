"""Retrieval quality: recall at k with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CUTOFFS = (1, 5, 10)
_RESAMPLES = 2000
_OUTSIDE = 0.025  # on either side of an interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval, all in per cent."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


def recall_table(*runs: Sequence[int | None], groups: Sequence[str]) -> dict[str, Estimate]:
    """R@1, R@5, R@10 and their sum, with percentile bootstrap intervals over groups of queries.

    Args:
        runs: for each query, in the same order in all runs, the rank from 1 of its first right
            item, None if it was not found. Of several runs, which differ in their seeds, a query
            counts with the mean of them.
        groups: of each query; captions of one picture are easy or hard together, and are drawn
            together.
    """
    hits = np.stack([_hits(runs, k) for k in CUTOFFS], axis=1)
    single = _estimates(hits, groups, 0.0, 100.0)
    (total,) = _estimates(hits.sum(axis=1, keepdims=True), groups, 0.0, 100.0 * len(CUTOFFS))
    names = [*(f"R@{k}" for k in CUTOFFS), "rSum"]
    return dict(zip(names, [*single, total], strict=True))


def recall_difference(
    ours: Sequence[Sequence[int | None]],
    theirs: Sequence[Sequence[int | None]],
    k: int,
    groups: Sequence[str],
) -> Estimate:
    """By how much recall at ``k`` of one system is above that of another on the same queries, with
    the paired bootstrap interval; runs and groups as for :func:`recall_table`."""
    gained = (_hits(ours, k) - _hits(theirs, k))[:, None]
    return _estimates(gained, groups, -100.0, 100.0)[0]


def _hits(runs: Sequence[Sequence[int | None]], k: int) -> NDArray[np.float64]:
    """Of each query in per cent, over the runs, whether it is found at ``k``; [queries]."""
    found = np.array([[rank or 10**9 for rank in ranks] for ranks in runs])
    return np.asarray((found <= k).mean(axis=0) * 100.0)


def _estimates(
    values: NDArray[np.float64], groups: Sequence[str], floor: float, ceiling: float
) -> list[Estimate]:
    """The mean of each column of [queries, columns] with its interval.

    1. Groups are drawn with replacement; the mean of a draw is over its queries.
    2. Where all queries have one value, so has every draw. There the interval is what an event that
       no group has shown may still have as its probability (Clopper and Pearson).
    """
    names, of_query = np.unique(np.asarray(groups), return_inverse=True)
    count = len(names)
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, of_query, values)
    queries = np.bincount(of_query, minlength=count)
    rng = np.random.default_rng(0)
    draws = (rng.integers(count, size=count) for _ in range(_RESAMPLES))
    means = np.stack([sums[draw].sum(axis=0) / queries[draw].sum() for draw in draws])
    low, high = np.percentile(means, [100 * _OUTSIDE, 100 * (1 - _OUTSIDE)], axis=0)
    mean, unseen = values.mean(axis=0), 1.0 - _OUTSIDE ** (1.0 / count)
    same = (values == values[0]).all(axis=0)
    low = np.where(same, mean - unseen * (mean - floor), low)
    high = np.where(same, mean + unseen * (ceiling - mean), high)
    return [
        Estimate(float(value), float(bottom), float(top))
        for value, bottom, top in zip(mean, low, high, strict=True)
    ]
