"""Clusters are the nearest centroids; their words are weighted as in the paper's equation 2."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from offline.identifiers import clusters as subject
from offline.identifiers.clusters import cluster_words, fit_clusters
from semcore.identifiers.clusters import assign_clusters
from semcore.identifiers.keywords import word_vectorizer


def test_finds_what_lies_together() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(4, dtype=np.float32)
    truth = np.repeat(np.arange(4), 50)
    vectors = centres[truth] + 0.01 * rng.standard_normal((200, 4)).astype(np.float32)
    assignment = assign_clusters(vectors, fit_clusters(vectors, 4, seed=0))
    assert len(set(zip(truth.tolist(), assignment.tolist(), strict=True))) == 4


def test_never_makes_more_clusters_than_there_are_vectors() -> None:
    vectors = np.eye(3, dtype=np.float32)
    assert len(fit_clusters(vectors, 128, seed=0)) == 3


def test_weighs_words_by_hand() -> None:
    texts = ["boat boat sea", "boat tree", "tree tree house", "house garden"]
    assignment = np.array([0, 0, 1, 1])
    vectorizer = word_vectorizer(texts)
    # Ten words in two clusters: A = 5. Cluster 0 has boat 3 of 3 times, sea 1 of 1, tree 1 of 3.
    weights = {"boat": 3 * math.log(1 + 5 / 3), "sea": math.log(6), "tree": math.log(1 + 5 / 3)}
    expected = sorted(weights, key=lambda word: -weights[word])
    said = cluster_words(texts, assignment, 2, vectorizer, top=3)
    assert said[0] == expected == ["boat", "sea", "tree"]
    assert weights["sea"] == pytest.approx(1.79, abs=0.01)
    assert cluster_words(texts, assignment, 2, vectorizer, top=1)[1] == ["house"]


def words_by_whole_matrices(
    texts: list[str],
    assignment: NDArray[np.int64],
    clusters: int,
    vectorizer: CountVectorizer,
    top: int,
) -> list[list[str]]:
    """The paper's equation 2, word for word."""
    counts = vectorizer.transform(texts).toarray()
    frequency = np.zeros((clusters, counts.shape[1]))
    np.add.at(frequency, assignment, counts)
    average = frequency.sum() / clusters
    weight = frequency * np.log1p(average / np.maximum(frequency.sum(axis=0), 1.0))
    words = vectorizer.get_feature_names_out()
    heaviest = np.argsort(-weight, axis=1, kind="stable")[:, :top]
    return [
        [words[word] for word in row if weight[cluster, word] > 0.0]
        for cluster, row in enumerate(heaviest)
    ]


@given(
    seed=st.integers(0, 2**32 - 1),
    documents=st.integers(1, 60),
    words=st.integers(1, 40),
    clusters=st.integers(1, 8),
    top=st.integers(0, 6),
)
def test_words_are_those_of_whole_matrices(
    seed: int, documents: int, words: int, clusters: int, top: int
) -> None:
    """Also those of equal weight, which come in the vectorizer's order; and where clusters have no
    document, or documents no word."""
    rng = np.random.default_rng(seed)
    names = [f"w{number}" for number in rng.permutation(words)]
    texts = [" ".join(rng.choice(names, rng.integers(0, 7))) for _ in range(documents)]
    # It knows words that these documents lack, as that of a corpus does.
    vectorizer = CountVectorizer(token_pattern=r"\S+").fit([*texts, *names[::2], "other"])
    assignment = rng.integers(0, rng.integers(1, clusters + 1), documents)
    expected = words_by_whole_matrices(texts, assignment, clusters, vectorizer, top)
    assert cluster_words(texts, assignment, clusters, vectorizer, top) == expected
    with pytest.MonkeyPatch.context() as small:
        small.setattr(subject, "_DOCUMENTS", 7)
        assert cluster_words(texts, assignment, clusters, vectorizer, top) == expected


def test_makes_no_matrix_of_all_words_and_clusters() -> None:
    words, clusters = 4000, 1000
    texts = [f"w{number} w{number // 2}" for number in range(words)]
    vectorizer = CountVectorizer().fit(texts)
    tracemalloc.start()
    said = cluster_words(texts, np.arange(words) % clusters, clusters, vectorizer, top=1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(said) == clusters
    assert most < words * clusters * 8 / 10
