"""How long an answer is kept."""

from __future__ import annotations

import random
from dataclasses import dataclass

_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Lifetime:
    """At most ``longest`` seconds, and up to a fifth less, so that answers that were found
    together do not all have to be found again together."""

    longest: float

    def seconds(self) -> float:
        return self.longest * (1.0 - _JITTER * random.random())
