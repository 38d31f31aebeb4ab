"""Keywords are words of the text, and none that the cluster already says while others are left."""

import numpy as np
import pytest

from offline.clusters import cluster_words, fit_clusters
from semcore.clusters import assign_clusters
from semcore.encoder import Encoder
from semcore.keywords import KeywordRanker, extract_keywords, word_vectorizer

TEXTS = [
    "Two red boats and a yellow sun on the beach.",
    "A blue boat near a green tree by the sea.",
    "A boat.",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


def test_keywords_leave_out_what_the_cluster_says(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    vectorizer = word_vectorizer(TEXTS)
    assignment = np.zeros(3, dtype=np.int64)
    ranker = KeywordRanker.of(encoder, vectorizer, 4)
    found = extract_keywords(
        ranker, TEXTS, vectors, assignment, [["boat"]], vectorizer, "relevance", {}
    )
    assert all(len(words) == 4 for words in found[:2])
    assert "boat" not in found[1]
    assert found[2] == ("boat",)  # nothing else is left
    for words, text in zip(found, TEXTS, strict=True):
        assert all(word in text.lower() for word in words)


def test_clusters_and_their_words() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(4, dtype=np.float32)[:2]
    vectors = np.repeat(centres, 20, axis=0) + rng.normal(0, 0.01, (40, 4)).astype(np.float32)
    centroids = fit_clusters(vectors, 2, seed=0)
    assignment = assign_clusters(vectors, centroids)
    assert len(set(assignment[:20])) == len(set(assignment[20:])) == 1
    assert assignment[0] != assignment[39]
    texts = ["boat red common"] * 20 + ["car blue common"] * 20
    words = cluster_words(texts, assignment, 2, word_vectorizer(texts), top=2)
    assert set(words[assignment[0]]) == {"boat", "red"}
    assert set(words[assignment[39]]) == {"car", "blue"}


def test_equal_texts_get_equal_unit_vectors(encoder: Encoder) -> None:
    vectors = encoder.encode(["a boat", "a car", "a boat"])
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors[0], vectors[2])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
