"""The least probability to be right that an item is answered with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semcore.bundle.calibration import Calibrations
from semcore.bundle.probability import Probability
from semcore.kind import Direction
from service.errors import InvalidQueryError

_BY = {True: "", False: " without the guide"}
_GALLERY = {True: "", False: ", whose gallery must have items of the validation split,"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """Attributes:
    probability: that an item is right; None where the index is not calibrated.
    least: what items have that are kept; None keeps all.
    """

    probability: Probability | None = None
    least: float | None = None

    def probabilities(
        self, scores: Sequence[float], cosines: Sequence[float | None]
    ) -> list[float | None]:
        """Of all candidates of a search, by their cosines where there are such.

        Args:
            scores: what the candidates are ordered by.
        """
        if self.probability is None:
            return [None] * len(scores)
        values = np.array(
            [
                score if cosine is None else cosine
                for score, cosine in zip(scores, cosines, strict=True)
            ]
        )
        return list(self.probability.of(values).tolist())

    def keeps(self, probability: float | None) -> bool:
        """Whether an item of that probability is answered."""
        return self.least is None or (probability is not None and probability >= self.least)


NO_THRESHOLD = Threshold()
"""Nothing is known, and everything is kept."""


def threshold(
    known: Calibrations, direction: Direction, least: float | None, *, guided: bool
) -> Threshold:
    """That of a search.

    Args:
        guided: whether its candidates have cosines of the guide.

    Raises :class:`InvalidQueryError` if it wants a least probability, and the index has none.
    """
    probability = known.probability(direction, guided=guided)
    if least is not None and probability is None:
        raise InvalidQueryError(
            f"this index does not know how likely items are to be right in searches {direction}"
            f"{_BY[guided]}, which min_score needs; run 'semcore calibrate' on the bundle"
            f"{_GALLERY[guided]} and reload it, or leave min_score out"
        )
    return Threshold(probability, least)
