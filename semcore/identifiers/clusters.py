"""Clusters: what gives an item its Global ID, and the words that its Lexical ID leaves out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semcore.bundle.bundle import CLUSTER_FILES
from semcore.errors import BundleError
from semcore.identifiers.encoder import Vectors

_CENTROIDS, _WORDS, _FREQUENCIES = CLUSTER_FILES
_DISTANCES = 1 << 23  # of vectors to centroids at a time: 32 MiB


@dataclass(frozen=True, slots=True)
class Clusters:
    """Attributes:
    centroids: float32 [clusters, dimension].
    words: for each cluster those that it says already, heaviest first.
    frequencies: in how many documents of the corpus each word is.
    """

    centroids: Vectors
    words: Sequence[Sequence[str]]
    frequencies: Mapping[str, int]

    def assign(self, vectors: Vectors) -> NDArray[np.int64]:
        """The nearest centroid of each vector, int64 [len(vectors)]: the Global IDs."""
        return assign_clusters(vectors, self.centroids)

    def save(self, folder: Path) -> None:
        np.save(folder / _CENTROIDS, self.centroids, allow_pickle=False)
        (folder / _WORDS).write_text(json.dumps(self.words))
        (folder / _FREQUENCIES).write_text(json.dumps(self.frequencies))

    @classmethod
    def load(cls, folder: Path) -> Clusters:
        """Raises :class:`BundleError` if they cannot be read."""
        try:
            centroids = np.load(folder / _CENTROIDS, allow_pickle=False)
            words = json.loads((folder / _WORDS).read_text())
            frequencies = json.loads((folder / _FREQUENCIES).read_text())
        except (OSError, ValueError, EOFError) as error:
            raise BundleError(f"the clusters of {folder} cannot be read ({error})") from error
        return cls(np.asarray(centroids, dtype=np.float32), words, frequencies)


def read_cluster_words(folder: Path) -> list[list[str]]:
    """The words of each cluster; none where the identifiers have no clusters."""
    try:
        words: list[list[str]] = json.loads((folder / _WORDS).read_text())
    except OSError:
        return []
    return words


def assign_clusters(vectors: Vectors, centroids: Vectors) -> NDArray[np.int64]:
    """The nearest centroid of each vector, int64 [len(vectors)]; of several the first."""
    nearest = np.empty(len(vectors), dtype=np.int64)
    squares = (centroids**2).sum(axis=1)
    step = max(1, _DISTANCES // len(centroids))
    for at in range(0, len(vectors), step):
        part = slice(at, at + step)
        distances = vectors[part] @ centroids.T
        distances *= -2.0
        distances += squares
        distances.argmin(axis=1, out=nearest[part])
    return nearest
