"""How much the beams, the commonness of identifiers, and verification should each weigh."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from offline.questions import Answered, Shown
from semcore.calibration import Calibration

_PENALTY = 1e-3
_Case = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Features of candidates, float [candidates, features], and which of these are right."""


def fit_weights(answered: Sequence[Answered]) -> Calibration:
    """The weights under which the right candidates are the likeliest (conditional logit).

    1. How much of an identifier's commonness is subtracted, from all that the beams found: none
       unless that makes the right ones likelier by as much as one more weight must
       (Schwarz's criterion).
    2. How much the score and the log-odds weigh, from the candidates that were verified.

    The defaults where there is nothing to learn from.
    """
    common = [one for one in answered if all(i.commonness is not None for i in one.items)]
    found = _cases(common, lambda item: (item.logprob,), verified=False)
    corrected = _cases(common, lambda i: (i.logprob, i.commonness or 0.0), verified=False)
    weights = Calibration()
    if found:
        _, plain = _fit(found, [0.5])
        (after, without), better = _fit(corrected, [0.5, 0.0])
        if after > 0 and 2 * len(found) * (plain - better) > math.log(len(found)):
            weights = replace(weights, commonness=min(1.0, max(0.0, -without / after)))
    judged = _cases(
        answered,
        lambda item: (weights.score(item.logprob, item.commonness), item.odds or 0.0),
        verified=True,
    )
    if not judged:
        return weights
    (prior, evidence), _ = _fit(judged, [0.5, 1.0])
    return replace(weights, prior=max(0.0, prior), evidence=max(0.0, evidence))


def fused(answered: Answered, weights: Calibration) -> Answered:
    """The answer that other weights would have given.

    Candidates that came among the first only by these weights, and were not verified, stand behind
    those that were.
    """
    items = sorted(answered.items, key=lambda item: -weights.score(item.logprob, item.commonness))
    scores = {item.id: weights.score(item.logprob, item.commonness) for item in items}
    count = sum(item.odds is not None for item in items)
    judged = [item for item in items[:count] if item.odds is not None]
    weighed = np.array(
        [weights.prior * scores[i.id] + weights.evidence * (i.odds or 0.0) for i in judged]
    )
    if len(judged) < 2:
        order, confidence = items, answered.confidence
    else:
        first = [judged[place] for place in np.argsort(-weighed, kind="stable")]
        order = [*first, *(item for item in items if item not in first)]
        confidence = float(np.exp(weighed.max() - np.logaddexp.reduce(weighed)))
    return replace(
        answered,
        verified=_rank(order),
        beam=_rank(items),
        lead=scores[items[0].id] - scores[items[1].id] if len(items) > 1 else math.inf,
        items=order,
        first_changed=bool(items) and order[0] != items[0],
        confidence=confidence,
    )


def _rank(items: Sequence[Shown]) -> int | None:
    return next((rank for rank, item in enumerate(items, 1) if item.right), None)


def _cases(
    answered: Sequence[Answered],
    features: Callable[[Shown], tuple[float, ...]],
    *,
    verified: bool,
) -> list[_Case]:
    """One of each answer in which there are right candidates and wrong ones."""
    cases = []
    for one in answered:
        items = [item for item in one.items if item.odds is not None or not verified]
        right = np.array([item.right for item in items], dtype=bool)
        if right.any() and not right.all():
            cases.append((np.array([features(item) for item in items], dtype=np.float64), right))
    return cases


def _fit(cases: Sequence[_Case], start: Sequence[float]) -> tuple[list[float], float]:
    """Weights of the features by maximum likelihood of the right ones, with a slight pull to zero,
    and the mean surprise that is left, in nats."""

    def loss(weights: NDArray[np.float64]) -> float:
        total = sum(_surprise(features @ weights, right) for features, right in cases)
        return total / len(cases) + _PENALTY * float(weights @ weights)

    found = minimize(loss, np.array(start), method="Nelder-Mead")
    return found.x.tolist(), float(found.fun)


def _surprise(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    return float(np.logaddexp.reduce(scores) - np.logaddexp.reduce(scores[right]))
