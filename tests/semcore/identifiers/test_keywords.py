"""Keywords are words of the text, and none that the cluster already says while others are left."""

import numpy as np
import pytest

from semcore.errors import CorpusError
from semcore.identifiers.encoder import Encoder
from semcore.identifiers.keywords import (
    KeywordRanker,
    corpus_vectorizer,
    extract_keywords,
    word_frequencies,
    word_vectorizer,
)

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


def test_a_corpus_of_stop_words_has_these_and_one_without_words_none() -> None:
    assert set(corpus_vectorizer(["this and that"]).get_feature_names_out()) == {
        "and", "that", "this",
    }  # fmt: skip
    with pytest.raises(ValueError, match="empty vocabulary"):
        word_vectorizer(["this and that"])
    with pytest.raises(CorpusError, match="no caption has a word"):
        corpus_vectorizer(["?", "!"])


def test_frequencies_come_in_the_order_of_the_texts() -> None:
    """Whichever process counts: what a bundle is called depends on it."""
    texts = ["red boats under red clouds", "boats at night"]
    found = word_frequencies(texts, corpus_vectorizer(texts))
    assert list(found.items()) == [
        ("red", 1), ("boats", 2), ("clouds", 1), ("night", 1),
    ]  # fmt: skip


def test_words_end_with_letters_and_long_ones_are_cut() -> None:
    texts = ["abc123 ab_c boat " + "x" * 50, "海" * 60]
    assert set(word_vectorizer(texts).get_feature_names_out()) == {"boat", "x" * 40, "海" * 40}


def test_an_identifier_is_not_longer_than_any_tokenizer_has_room_for(encoder: Encoder) -> None:
    text = " ".join(letter * 39 for letter in "海船夜湖山")
    vectorizer = word_vectorizer([text])
    (found,) = extract_keywords(
        KeywordRanker.of(encoder, vectorizer, 4),
        [text],
        encoder.encode([text]),
        np.zeros(1, dtype=np.int64),
        [[]],
        vectorizer,
        "relevance",
        {},
    )
    assert len(found) == 4
    assert all(word == word[0] * 19 for word in found)
    assert len(" ".join(found).encode()) <= 240
