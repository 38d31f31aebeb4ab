"""How clusters are found: k-means over sentence embeddings, and the words that each one says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import CountVectorizer

from semcore.identifiers.encoder import Vectors


def fit_clusters(vectors: Vectors, clusters: int, seed: int) -> Vectors:
    """Centroids, float32 [min(clusters, len(vectors)), dimension] (paper 3.2.1)."""
    means = MiniBatchKMeans(
        n_clusters=min(clusters, len(vectors)), random_state=seed, n_init=3, batch_size=4096
    )
    means.fit(vectors)
    return np.asarray(means.cluster_centers_, dtype=np.float32)


def cluster_words(
    texts: Sequence[str],
    assignment: NDArray[np.int64],
    clusters: int,
    vectorizer: CountVectorizer,
    top: int,
) -> list[list[str]]:
    """The ``top`` words of highest weight in each cluster, heaviest first (paper eq. 2).

    W(x, c) = tf(x, c) · log(1 + A / f(x)): tf counts word x in cluster c, f counts it in all
    clusters, A is the mean number of words in a cluster.

    Args:
        texts: one document an item.
        assignment: int64 [len(texts)], the cluster of each.
        vectorizer: fitted; says what a word is.
    """
    counts = vectorizer.transform(texts)
    ones = np.ones(len(texts), dtype=np.int64)
    rows = (assignment, np.arange(len(texts)))
    member = csr_matrix((ones, rows), shape=(clusters, len(texts)))
    frequency = np.asarray((member @ counts).todense(), dtype=np.float64)
    average = frequency.sum() / clusters
    total = np.maximum(frequency.sum(axis=0), 1.0)
    weight = frequency * np.log1p(average / total)
    words = vectorizer.get_feature_names_out()
    heaviest = np.argsort(-weight, axis=1, kind="stable")[:, :top]
    return [
        [str(words[word]) for word in row if weight[cluster, word] > 0.0]
        for cluster, row in enumerate(heaviest)
    ]
