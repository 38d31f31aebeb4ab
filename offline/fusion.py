"""How much what the beams found and what verification says should each weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from offline.questions import Answered, Shown, pair_of
from semcore.calibration import Calibration

_PENALTY = 1e-3


def fit_weights(answered: Sequence[Answered]) -> Calibration:
    """The weights under which the right candidates are the likeliest (conditional logit).

    1. Of each answer that shows a right item among the candidates verified, the log-probabilities
       and the log-odds of all of them.
    2. Both weights at once, by maximum likelihood of the right ones, with a slight pull to zero.

    The defaults where there is nothing to learn from.
    """
    cases = [case for one in answered if (case := _case(one)) is not None]
    if not cases:
        return Calibration()

    def loss(weights: NDArray[np.float64]) -> float:
        total = sum(_surprise(features @ weights, right) for features, right in cases)
        return total / len(cases) + _PENALTY * float(weights @ weights)

    found = minimize(loss, np.array([0.5, 1.0]), method="Nelder-Mead")
    prior, evidence = np.maximum(found.x, 0.0).tolist()
    return Calibration(prior, evidence)


def fused(answered: Answered, weights: Calibration) -> Answered:
    """The answer that other weights would have given; one that was not verified stays as it is."""
    shown = [item for item in answered.items if item.odds is not None]
    if len(shown) < 2:
        return answered
    scores = _features(shown) @ np.array([weights.prior, weights.evidence])
    order = np.argsort(-scores, kind="stable")
    items = [*(shown[place] for place in order), *answered.items[len(shown) :]]
    right = [pair_of(item.id) == pair_of(answered.query) for item in items[: len(shown)]]
    rank = right.index(True) + 1 if True in right else answered.verified
    best = max(answered.items, key=lambda item: item.logprob)
    return replace(
        answered,
        verified=rank,
        items=items,
        first_changed=items[0].logprob < best.logprob,
        confidence=float(np.exp(scores[order[0]] - np.logaddexp.reduce(scores))),
    )


def _case(answered: Answered) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    shown = [item for item in answered.items if item.odds is not None]
    right = np.array([pair_of(item.id) == pair_of(answered.query) for item in shown], dtype=bool)
    if not right.any() or right.all():
        return None
    return _features(shown), right


def _features(shown: Sequence[Shown]) -> NDArray[np.float64]:
    """Float [items, 2]: log-probability and log-odds."""
    return np.array([[item.logprob, item.odds] for item in shown], dtype=np.float64)


def _surprise(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    return float(np.logaddexp.reduce(scores) - np.logaddexp.reduce(scores[right]))
