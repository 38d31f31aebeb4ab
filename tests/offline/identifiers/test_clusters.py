"""Clusters are the nearest centroids; their words are weighted as in the paper's equation 2."""

import math

import numpy as np
import pytest

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
