"""How much the beams, the commonness of identifiers, and verification should each weigh."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from offline.evaluation.query_runner import Answered, Shown
from semcore.bundle.calibration import Calibration

_PENALTY = 1e-3
_FEWEST = 20
_Case = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Features of candidates, float [candidates, features], and which of these are right."""


def fit_weights(answered: Sequence[Answered]) -> Calibration:
    """The weights under which the right candidates are the likeliest (conditional logit).

    1. How much of an identifier's commonness is subtracted, from all that the beams found: none
       unless that makes the right ones likelier by as much as one more weight must
       (Schwarz's criterion).
    2. How much the score, the log-odds and the description weigh, from the candidates that were
       verified: of the last two both where by the same criterion both are needed, else the
       description where that is better by as much.

    The defaults where fewer than 20 answers tell anything.
    """
    common = [one for one in answered if all(i.commonness is not None for i in one.items)]
    found = _cases(common, lambda item: (item.logprob or 0.0,), verified=False)
    corrected = _cases(common, lambda i: (i.logprob or 0.0, i.commonness or 0.0), verified=False)
    weights = Calibration()
    if len(found) >= _FEWEST:
        _, plain = _fit(found, [0.5])
        (after, without), better = _fit(corrected, [0.5, 0.0])
        if after > 0 and _is_worth(plain - better, len(found)):
            weights = replace(weights, commonness=min(1.0, max(0.0, -without / after)))
    return _judging(answered, weights)


def _judging(answered: Sequence[Answered], weights: Calibration) -> Calibration:
    def prior(item: Shown) -> float:
        return weights.score(weights.surplus(item.logprob or 0.0, item.commonness))

    judged = _cases(answered, lambda i: (prior(i), i.odds or 0.0), verified=True)
    if len(judged) < _FEWEST:
        return weights
    (a, b), asked = _fit(judged, [0.5, 1.0])
    if b <= 0:
        alone = _cases(answered, lambda i: (prior(i),), verified=True)
        (a,), asked = _fit(alone, [0.5])
        b = 0.0
    chosen = replace(weights, prior=max(0.0, a), evidence=b)
    described = _cases(answered, lambda i: (prior(i), i.description or 0.0), verified=True)
    (a, c), told = _fit(described, [0.5, 0.5])
    if c <= 0:
        return chosen
    both = _cases(
        answered, lambda i: (prior(i), i.odds or 0.0, i.description or 0.0), verified=True
    )
    (d, e, f), together = _fit(both, [0.5, 1.0, 0.5])
    if min(e, f) > 0 and _is_worth(min(asked, told) - together, len(both)):
        return replace(chosen, prior=max(0.0, d), evidence=e, description=f)
    if _is_worth(asked - told, len(both)):
        return replace(chosen, prior=max(0.0, a), evidence=0.0, description=c)
    return chosen


def fused(answered: Answered, weights: Calibration) -> Answered:
    """The answer that other weights would have given.

    Candidates that came among the first only by these weights, and were not verified, stand behind
    those that were; :func:`is_told` says where there are none.
    """
    items = _ordered(answered, weights)
    scores = scores_of(answered.items, weights)
    count = sum(item.is_judged for item in items)
    judged = [item for item in items[:count] if item.is_judged]
    weighed = np.array(
        [weights.weighed(scores[item.id], item.odds, item.description) for item in judged]
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


def is_told(answered: Answered, weights: Calibration) -> bool:
    """Whether those were verified that these weights would have verified."""
    items = _ordered(answered, weights)
    count = sum(item.is_judged for item in items)
    return all(item.is_judged for item in items[:count])


def _ordered(answered: Answered, weights: Calibration) -> list[Shown]:
    """By their scores before verification."""
    scores = scores_of(answered.items, weights)
    return sorted(answered.items, key=lambda item: -scores[item.id])


def scores_of(items: Sequence[Shown], weights: Calibration) -> dict[str, float]:
    """Of each item by its id, as the service has them
    (:func:`service.search.candidates.rescored`)."""
    surplus = [
        None if item.logprob is None else weights.surplus(item.logprob, item.commonness)
        for item in items
    ]
    scores = weights.scores(surplus, [item.cosine for item in items])
    return {item.id: score for item, score in zip(items, scores, strict=True)}


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
        items = [item for item in one.items if item.is_judged or not verified]
        right = np.array([item.right for item in items], dtype=bool)
        if right.any() and not right.all():
            cases.append((np.array([features(item) for item in items], dtype=np.float64), right))
    return cases


def _fit(cases: Sequence[_Case], start: Sequence[float]) -> tuple[list[float], float]:
    """Weights of the features by maximum likelihood of the right ones, with a slight pull to zero,
    and the mean surprise that is left, in nats."""

    def loss(weights: NDArray[np.float64]) -> float:
        total = sum(surprise(features @ weights, right) for features, right in cases)
        return total / len(cases) + _PENALTY * float(weights @ weights)

    found = minimize(loss, np.array(start), method="Nelder-Mead")
    return found.x.tolist(), float(found.fun)


def _is_worth(saved: float, cases: int) -> bool:
    """Whether one more weight saves enough surprise, in nats a case (Schwarz's criterion)."""
    return 2 * cases * saved > math.log(cases)


def surprise(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """How little a conditional logit expects the right candidates, in nats."""
    return float(np.logaddexp.reduce(scores) - np.logaddexp.reduce(scores[right]))
