"""The probability that an item is right, by what a search has ranked it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""Of the candidates of a search, float64 [candidates]."""


@dataclass(frozen=True, slots=True)
class Probability:
    """A logistic function of a candidate's value and lead, as Platt (1999) calibrates scores.

    Attributes:
        intercept: log-odds at a value and lead of 0.
        value, lead: weights, none below 0.
    """

    intercept: float
    value: float
    lead: float

    def of(self, values: Sequence[float] | Values) -> Values:
        """Of all candidates of a search.

        Args:
            values: cosines with the guide; without it scores
                (:meth:`semcore.bundle.calibration.Calibration.score`).
        """
        told = np.asarray(values, dtype=np.float64)
        odds = self.intercept + self.value * told + self.lead * lead(told)
        # Beyond that exp would overflow.
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


def lead(values: Values) -> Values:
    """By how much each value is above the best of the others, below zero if it is not; 0 of a
    single one."""
    if len(values) < 2:
        return np.zeros_like(values)
    second, first = np.partition(values, -2)[-2:]
    place = int(np.argmax(values))
    others = np.full_like(values, first)
    others[place] = second
    return np.asarray(values - others)
