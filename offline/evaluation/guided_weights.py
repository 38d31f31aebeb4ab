"""How much the guide's cosine should weigh beside all that the model says."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from offline.evaluation.query_runner import Answered
from offline.evaluation.score_weights import fused, surprise
from semcore.bundle.calibration import GUIDED, Calibration

_FEWEST = 100
_FOLDS = 5
_PULL = 0.02
"""Of surprise, in nats a query, for a weight that is twice the default."""
GUIDE_ALONE = Calibration(
    prior=1.0, evidence=0.0, description=0.0, commonness=0.0, margin=0.0, likelihood=0.0, cosine=1.0
)
"""The guide's order stands: nothing that the model says changes it, and it is not asked."""

_Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Guided:
    """Attributes:
    calibration: the weights.
    gain: by how much the mean reciprocal rank of the right items is higher by such weights than by
        the guide alone, in the folds that were held out; None where too few queries were asked to
        choose.
    error: the standard error of that.
    """

    calibration: Calibration
    gain: float | None = None
    error: float | None = None


def fit_guided(answered: Sequence[Answered], seed: int = 0) -> Guided:
    """The weights under which the right candidates are the likeliest, pulled towards
    :data:`semcore.bundle.calibration.GUIDED`.

    Five folds by picture say whether they are worth anything. Where weights from the other folds
    gain no more than one standard error over the guide alone, its order stands (the
    one-standard-error rule, Breiman et al., 1984): verification that may gain nothing is not worth
    its time.

    Args:
        answered: with the guide, with commonness and descriptions, on validation queries.
    """
    if sum(any(item.right for item in one.items) for one in answered) < _FEWEST:
        return Guided(GUIDED)
    folds = _folds(answered, seed)
    gains: list[float] = []
    for held in folds:
        rest = [one for fold in folds if fold is not held for one in fold]
        weights = _fitted(rest)
        gains += [
            _reciprocal(fused(one, weights).verified) - _reciprocal(fused(one, GUIDE_ALONE).beam)
            for one in held
        ]
    gain = float(np.mean(gains))
    error = float(np.std(gains, ddof=1) / len(gains) ** 0.5)
    return Guided(_fitted(answered) if gain > error else GUIDE_ALONE, gain, error)


def _folds(answered: Sequence[Answered], seed: int) -> list[list[Answered]]:
    pairs = sorted({one.pair for one in answered})
    random.Random(seed).shuffle(pairs)
    fold = {pair: place % _FOLDS for place, pair in enumerate(pairs)}
    found: list[list[Answered]] = [[] for _ in range(_FOLDS)]
    for one in answered:
        found[fold[one.pair]].append(one)
    return [one for one in found if one]


def _reciprocal(rank: int | None) -> float:
    return 0.0 if rank is None else 1 / rank


@dataclass(frozen=True, slots=True)
class _Case:
    """The candidates of a query.

    Attributes:
        logprob, commonness: nan where the beams have not found the item.
        judged: float [3, candidates]: whether verified, log-odds, description.
    """

    logprob: _Weights
    commonness: _Weights
    cosine: _Weights
    judged: _Weights
    right: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Scored:
    """The verified candidates of a query.

    Attributes:
        evidence: float [3, candidates]: score, log-odds, description.
    """

    evidence: _Weights
    right: NDArray[np.bool_]


_AnyCase = TypeVar("_AnyCase", _Case, _Scored)


def _fitted(answered: Sequence[Answered]) -> Calibration:
    """Two steps, as the service has them: the score of all that was found, then what verification
    adds to those that were verified."""
    cases = [case for case in map(_case, answered) if case.right.any() and not case.right.all()]
    if not cases:
        return GUIDED

    def score(case: _Case, weights: _Weights) -> _Weights:
        likelihood, common, cosine = weights
        surplus = case.logprob - common * case.commonness
        known = ~np.isnan(surplus)
        last = surplus[known].min() if known.any() else 0.0
        return np.asarray(likelihood * np.where(known, surplus, last) + cosine * case.cosine)

    start = np.array([GUIDED.likelihood, GUIDED.commonness, GUIDED.cosine])
    first = _minimised(cases, score, start)
    likelihood, common, cosine = first.tolist()

    def weighed(case: _Scored, weights: _Weights) -> _Weights:
        return np.asarray(weights @ case.evidence)

    judged = [_judged(case, score(case, first)) for case in cases]
    seen = [case for case in judged if case.right.any() and not case.right.all()]
    found = replace(GUIDED, likelihood=likelihood, commonness=common, cosine=cosine)
    if len(seen) < _FEWEST // 2:
        return found
    second = np.array([GUIDED.prior, GUIDED.evidence, GUIDED.description])
    prior, evidence, description = _minimised(seen, weighed, second).tolist()
    return replace(found, prior=prior, evidence=evidence, description=description)


def _case(answered: Answered) -> _Case:
    items = answered.items
    return _Case(
        logprob=_column([item.logprob for item in items], np.nan),
        commonness=_column([item.commonness for item in items], 0.0),
        cosine=_column([item.cosine for item in items], 0.0),
        judged=np.array(
            [
                [float(item.is_judged) for item in items],
                [item.odds or 0.0 for item in items],
                [item.description or 0.0 for item in items],
            ]
        ),
        right=np.array([item.right for item in items], dtype=bool),
    )


def _column(values: Sequence[float | None], missing: float) -> _Weights:
    return np.array([missing if value is None else value for value in values], dtype=np.float64)


def _judged(case: _Case, scores: _Weights) -> _Scored:
    kept = case.judged[0] > 0
    return _Scored(np.stack([scores, *case.judged[1:]])[:, kept], case.right[kept])


def _minimised(
    cases: Sequence[_AnyCase], score: Callable[[_AnyCase, _Weights], _Weights], usual: _Weights
) -> _Weights:
    """The weights, none below zero, that surprise least by the right candidates (conditional
    logit)."""
    scale = np.where(usual > 0, usual, 1.0)

    def loss(weights: _Weights) -> float:
        total = 0.0
        for case in cases:
            total += surprise(score(case, weights), case.right)
        pull = float((((weights - usual) / scale) ** 2).sum())
        return float(total) / len(cases) + _PULL * pull

    found = minimize(
        loss,
        usual,
        method="Nelder-Mead",
        bounds=[(0.0, None)] * len(usual),
        options={"xatol": 1e-3},
    )
    return np.asarray(found.x, dtype=np.float64)
