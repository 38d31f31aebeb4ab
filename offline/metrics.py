"""Retrieval quality: recall at k with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CUTOFFS = (1, 5, 10)
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval, all in per cent."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


def recall_table(*runs: Sequence[int | None], seed: int = 0) -> dict[str, Estimate]:
    """R@1, R@5, R@10 and their sum, with percentile bootstrap intervals over queries.

    Args:
        runs: for each query, in the same order in all runs, the rank from 1 of its first right
            item, None if it was not found. Of several runs, which differ in their seeds, a query
            counts with the mean of them.
    """
    hits = np.stack([_hits(runs, k) for k in CUTOFFS], axis=1)
    hits = np.concatenate([hits, hits.sum(axis=1, keepdims=True)], axis=1)
    names = [*(f"R@{k}" for k in CUTOFFS), "rSum"]
    return dict(zip(names, _estimates(hits, seed), strict=True))


def recall_difference(
    ours: Sequence[Sequence[int | None]], theirs: Sequence[Sequence[int | None]], k: int
) -> Estimate:
    """By how much recall at ``k`` of one system is above that of another on the same queries, with
    the paired bootstrap interval; runs as for :func:`recall_table`."""
    return _estimates((_hits(ours, k) - _hits(theirs, k))[:, None], seed=0)[0]


def _hits(runs: Sequence[Sequence[int | None]], k: int) -> NDArray[np.float64]:
    """Of each query in per cent, over the runs, whether it is found at ``k``; [queries]."""
    found = np.array([[rank or 10**9 for rank in ranks] for ranks in runs])
    return np.asarray((found <= k).mean(axis=0) * 100.0)


def _estimates(values: NDArray[np.float64], seed: int) -> list[Estimate]:
    """The mean of each column of [queries, columns] with its interval."""
    rng, count = np.random.default_rng(seed), len(values)
    means = np.stack(
        [values[rng.integers(count, size=count)].mean(axis=0) for _ in range(_RESAMPLES)]
    )
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return [
        Estimate(float(value), float(bottom), float(top))
        for value, bottom, top in zip(values.mean(axis=0), low, high, strict=True)
    ]
