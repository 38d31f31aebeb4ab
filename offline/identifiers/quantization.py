"""Codes that stand for vectors: what rival identifiers are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.metrics import pairwise_distances_argmin

from semcore.identifiers.encoder import Vectors


def residual_codes(
    vectors: Vectors, learned: NDArray[np.bool_], levels: int, size: int, seed: int
) -> NDArray[np.int64]:
    """Residual quantisation by k-means, level by level.

    Args:
        vectors: float32 [items, dimension].
        learned: bool [items], those that the codebooks are learned from.
        size: codes of a level.

    Returns:
        int64 [items, levels].
    """
    return nearest_codes(vectors, fit_codebooks(vectors[learned], levels, size, seed))


def fit_codebooks(vectors: Vectors, levels: int, size: int, seed: int) -> Vectors:
    """The codebooks of residual quantisation (Lee et al., 2022), by k-means.

    1. k-means over what is left of the vectors, at first the vectors themselves.
    2. The nearest centroid is the code of the level; what it leaves goes to the next one.

    Args:
        vectors: float32 [items, dimension].
        size: codes of a level.

    Returns:
        float32 [levels, min(size, items), dimension].
    """
    left = vectors.copy()
    books = []
    for level in range(levels):
        means = MiniBatchKMeans(
            n_clusters=min(size, len(vectors)),
            random_state=seed + level,
            n_init=3,
            batch_size=4096,
        ).fit(left)
        books.append(means.cluster_centers_.astype(np.float32))
        left -= books[-1][means.predict(left)]
    return np.stack(books)


def nearest_codes(vectors: Vectors, books: Vectors) -> NDArray[np.int64]:
    """The codes of vectors, int64 [items, levels].

    Args:
        vectors: float32 [items, dimension].
        books: float32 [levels, size, dimension], of :func:`fit_codebooks`.
    """
    left = vectors.copy()
    codes = np.empty((len(vectors), len(books)), dtype=np.int64)
    for level, book in enumerate(books):
        codes[:, level] = pairwise_distances_argmin(left, book)
        left -= book[codes[:, level]]
    return codes


def tree_codes(vectors: Vectors, branches: int, leaf: int, seed: int) -> list[tuple[int, ...]]:
    """Hierarchical k-means: the path to each vector, and its place in the leaf (DSI, section 3.2).

    1. k-means into ``branches`` clusters.
    2. A cluster of more than ``leaf`` vectors is divided in the same way.
    3. In a smaller one the vectors are numbered at random.

    Args:
        vectors: float32 [items, dimension].

    Returns:
        For each vector a path of its own.
    """
    rng = np.random.default_rng(seed)
    paths: list[tuple[int, ...]] = [()] * len(vectors)

    def divide(rows: NDArray[np.int64], path: tuple[int, ...]) -> None:
        if len(rows) <= leaf:
            for place, row in enumerate(rng.permutation(rows)):
                paths[row] = (*path, place)
            return
        different = len(np.unique(vectors[rows], axis=0))
        if different == 1:  # equal vectors cannot be told apart
            cluster = np.arange(len(rows)) % branches
        else:
            means = KMeans(n_clusters=min(branches, different), random_state=seed, n_init=1)
            cluster = means.fit_predict(vectors[rows])
        for branch in np.unique(cluster):
            divide(rows[cluster == branch], (*path, int(branch)))

    divide(np.arange(len(vectors)), ())
    return paths


def unique_suffixes(keys: Sequence[object], seed: int) -> list[int | None]:
    """Random numbers that tell equal keys apart; None for a key that occurs once."""
    rng = np.random.default_rng(seed)
    groups: dict[object, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    suffixes: list[int | None] = [None] * len(keys)
    for rows in groups.values():
        if len(rows) > 1:
            for row, number in zip(rows, rng.permutation(len(rows)), strict=True):
                suffixes[row] = int(number)
    return suffixes
