"""The learning rate of the loops that are not the trainer's."""

from __future__ import annotations

import math

_WARM_UP = 50


def warm_cosine(step: int, steps: int) -> float:
    """A share of the peak: linear warm-up over 50 steps, then a cosine to a twentieth."""
    cosine = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / _WARM_UP) * cosine
