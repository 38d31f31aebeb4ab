"""How clusters are found: k-means over sentence embeddings, and the words that each one says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import CountVectorizer

from semcore.identifiers.encoder import Vectors

_DOCUMENTS = 65_536  # counted at a time


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
    frequency = _frequencies(texts, assignment, clusters, vectorizer)
    average = frequency.sum() / clusters
    total = np.maximum(np.asarray(frequency.sum(axis=0)).ravel(), 1.0)
    weight = frequency.data * np.log1p(average / total)[frequency.indices]
    words = vectorizer.get_feature_names_out()
    said = []
    for start, end in pairwise(frequency.indptr):
        heaviest = np.argsort(-weight[start:end], kind="stable")[:top]
        said.append([str(word) for word in words[frequency.indices[start:end][heaviest]]])
    return said


def _frequencies(
    texts: Sequence[str], assignment: NDArray[np.int64], clusters: int, vectorizer: CountVectorizer
) -> csr_matrix:
    """How often each cluster has each word, float64 [clusters, words], indices in order."""
    frequency = csr_matrix((clusters, len(vectorizer.vocabulary_)), dtype=np.float64)
    for at in range(0, len(texts), _DOCUMENTS):
        part = slice(at, at + _DOCUMENTS)
        counts = vectorizer.transform(texts[part])
        number = counts.shape[0]
        places = (assignment[part], np.arange(number))
        member = csr_matrix((np.ones(number), places), shape=(clusters, number))
        frequency += member @ counts
    frequency.sort_indices()
    return frequency
