"""Fitting the probability that an item is right, on validation queries.

Each query counts twice: as it is, and with its right items taken away, as if the index had nothing
that fits. So the probability holds where every other search has no right answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from offline.evaluation.query_runner import Answered, Questions, chosen_queries
from offline.image_inputs import opened_pictures
from semcore.bundle.bundle import ITEMS, Manifest, read_manifest
from semcore.bundle.calibration import Calibration
from semcore.bundle.item import Item, ItemStore
from semcore.bundle.probability import Probability, Values, lead
from semcore.errors import BundleError
from semcore.guide.guide import Guide, open_guide
from semcore.guide.vectors import VectorTable, unit
from semcore.identifiers.encoder import Vectors
from semcore.kind import target_kind
from semcore.model.eyesight import side_seen
from semcore.model.prompt import excerpt, normalise_query
from semcore.pictures.picture_source import picture_source

FEWEST = 20
"""Queries with a right item among their candidates."""
_CANDIDATES = 50
_CHUNK = 65_536  # items that are compared at a time


@dataclass(frozen=True, slots=True)
class Case:
    """The candidates of a query.

    Attributes:
        values: what they are ranked by.
        right: which of these answer the query, bool [candidates].
    """

    values: Values
    right: NDArray[np.bool_]


def fit_probability(cases: Sequence[Case]) -> Probability | None:
    """The function under which what is right is the likeliest, by logistic regression.

    None where fewer than 20 queries have a right item, or where neither the value nor the lead of
    right items is above that of others.
    """
    if sum(bool(case.right.any()) for case in cases) < FEWEST:
        return None
    told = [*cases, *(Case(case.values[~case.right], case.right[~case.right]) for case in cases)]
    features = np.concatenate([np.stack([case.values, lead(case.values)], axis=1) for case in told])
    right = np.concatenate([case.right for case in told]).astype(np.float64)
    scale = features.std(axis=0)
    scale[scale == 0] = 1.0
    middle = features.mean(axis=0)
    scaled = (features - middle) / scale

    def loss(weights: Values) -> tuple[float, Values]:
        odds = weights[0] + scaled @ weights[1:]
        off = expit(odds) - right
        slope = np.array([off.sum(), *(off @ scaled + weights[1:])])
        penalty = float(weights[1:] @ weights[1:]) / 2
        return float((np.logaddexp(0, odds) - right * odds).sum()) + penalty, slope

    found = minimize(
        loss, np.zeros(3), jac=True, method="L-BFGS-B", bounds=[(None, None), (0, None), (0, None)]
    ).x
    if not found[1:].any():
        return None
    value, ahead = (found[1:] / scale).tolist()
    intercept = float(found[0] - found[1:] @ (middle / scale))
    return Probability(intercept, value, ahead)


def answered_cases(answered: Sequence[Answered], weights: Calibration) -> list[Case]:
    """The scores that the candidates of a service's answers have with these weights, by the model
    alone."""
    return [
        Case(
            np.array(
                [
                    weights.score(weights.surplus(item.logprob or 0.0, item.commonness))
                    for item in one.items
                ]
            ),
            np.array([item.right for item in one.items], dtype=bool),
        )
        for one in answered
        if one.items
    ]


def guide_cases(
    bundle: Path, questions: Questions, image_root: str | Path | None = None
) -> list[Case]:
    """The cosines of the fifty items nearest to each query, among all that can be found and those
    of the split; none where the guide does not see the pictures that ask.

    Args:
        image_root: folder of the pictures, or its URL, if not what the bundle says.

    Raises:
        BundleError: the bundle has no guide.
        PictureError: a picture cannot be read.
    """
    manifest = read_manifest(bundle)
    if manifest.guide is None:
        raise BundleError(f"{bundle} has no guide; build it with one")
    model = None if manifest.model is None else manifest.model.folder(bundle)
    guide = open_guide(manifest.guide.encoder, model, manifest.guide.picture_weight)
    queries = chosen_queries(bundle, questions)
    if not queries or (questions.direction == "image-to-text" and not guide.sees):
        return []
    kind = target_kind(questions.direction)
    store = ItemStore(bundle / ITEMS, manifest.settings.gallery)
    splits = {*manifest.settings.gallery, questions.split}
    numbers = np.array(
        sorted(number for split in splits for number in store.numbers(split, kind)), dtype=np.int64
    )
    right: dict[str, list[int]] = {}
    for number, item in store.numbered(questions.split, kind):
        right.setdefault(item.pair, []).append(number)
    store.close()
    asked = _encoded(guide, queries, manifest, image_root, model)
    most = _CANDIDATES + max(map(len, right.values()), default=0)
    found, near = _nearest(VectorTable(bundle).rows, numbers, asked, most)
    return [
        Case(values.astype(np.float64), np.isin(places, right.get(query.pair, [])))
        for query, places, values in zip(queries, found, near, strict=True)
    ]


def _encoded(
    guide: Guide,
    queries: Sequence[Item],
    manifest: Manifest,
    image_root: str | Path | None,
    model: Path | None,
) -> Vectors:
    """The guide's vectors of queries, float32 [queries, dimension]."""
    if queries[0].kind == "text":
        return guide.encode_texts([normalise_query(excerpt(one.caption)) for one in queries])
    root = image_root or manifest.corpus.image_root
    sources = [picture_source(root, one.image) for one in queries]
    chunks = opened_pictures(sources, side_seen(model))
    return np.concatenate([guide.encode_images(chunk) for chunk in chunks])


def _nearest(
    rows: NDArray[np.int8], numbers: NDArray[np.int64], asked: Vectors, most: int
) -> tuple[NDArray[np.int64], Vectors]:
    """For each query the numbers of the nearest items and their cosines, [queries, most], best
    first."""
    found = np.empty((len(asked), 0), dtype=np.int64)
    near = np.empty((len(asked), 0), dtype=np.float32)
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        near = np.concatenate([near, asked @ unit(rows[chunk]).T], axis=1)
        found = np.concatenate([found, np.broadcast_to(chunk, (len(asked), len(chunk)))], axis=1)
        order = np.argsort(-near, axis=1, kind="stable")[:, :most]
        near = np.take_along_axis(near, order, axis=1)
        found = np.take_along_axis(found, order, axis=1)
    return found, near
