"""Retrieval quality: recall at k with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


def recall_at_k(ranks: Sequence[int | None], k: int) -> float:
    """Per cent of queries whose first right item has a rank (from 1) of at most ``k``."""
    return 100.0 * sum(rank is not None and rank <= k for rank in ranks) / len(ranks)


def recall_table(ranks: Sequence[int | None], seed: int = 0) -> dict[str, Estimate]:
    """R@1, R@5, R@10 and their sum, with percentile bootstrap intervals over queries.

    Args:
        ranks: for each query the rank from 1 of its first right item, None if it was not found.
    """
    found = np.array([rank or 10**9 for rank in ranks])
    hits = np.stack([found <= k for k in CUTOFFS], axis=1).astype(np.float64) * 100.0
    hits = np.concatenate([hits, hits.sum(axis=1, keepdims=True)], axis=1)
    draws = np.random.default_rng(seed).integers(len(found), size=(_RESAMPLES, len(found)))
    means = np.stack([hits[draw].mean(axis=0) for draw in draws])
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    names = [*(f"R@{k}" for k in CUTOFFS), "rSum"]
    return {
        name: Estimate(float(value), float(bottom), float(top))
        for name, value, bottom, top in zip(names, hits.mean(axis=0), low, high, strict=True)
    }
