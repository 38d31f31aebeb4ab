"""Keywords are words of the text, and none that the cluster already says while others are left."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keybert import KeyBERT
from keybert.backend import BaseEmbedder
from sklearn.feature_extraction.text import CountVectorizer

from offline.demo.demo_corpus import demo_captions
from semcore.errors import CorpusError
from semcore.identifiers import keywords
from semcore.identifiers.encoder import Encoder, Vectors, mean_vectors
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


def ranked_by_keybert(
    ranker: KeywordRanker, documents: list[str], vectors: Vectors
) -> list[tuple[str, ...]]:
    # KeyBERT answers a single document in another shape; a second, empty one avoids that.
    found = KeyBERT(BaseEmbedder()).extract_keywords(
        [*documents, ""],
        vectorizer=CountVectorizer(vocabulary=ranker.words, token_pattern=r"(?u)\S+"),
        top_n=ranker.keywords,
        doc_embeddings=np.vstack([vectors, np.zeros_like(vectors[:1])]),
        word_embeddings=ranker.vectors,
    )
    return [tuple(word for word, _ in pairs) for pairs in found[:-1]]


@given(
    seed=st.integers(0, 2**32 - 1),
    documents=st.integers(1, 40),
    words=st.integers(1, 80),
    dimension=st.sampled_from([1, 2, 3, 8, 17, 384]),
    kinds=st.integers(1, 80),
    whole=st.booleans(),
)
def test_ranks_as_keybert_does(
    seed: int, documents: int, words: int, dimension: int, kinds: int, whole: bool
) -> None:
    """Also words that are equally near, whose vectors are the same or have whole numbers, and
    those with a vector of zeros; and documents without a word, or with one that is not known."""
    rng = np.random.default_rng(seed)
    names = [f"w{number}" for number in rng.permutation(words)]
    vectors = rng.standard_normal((kinds, dimension)).astype(np.float32)
    of_documents = rng.standard_normal((documents, dimension)).astype(np.float32)
    if whole:
        vectors, of_documents = np.rint(vectors), np.rint(of_documents)
    ranker = KeywordRanker(names, vectors[rng.integers(0, kinds, words)], int(rng.integers(1, 6)))
    ranker.vectors[rng.random(words) < 0.1] = 0.0
    texts = [
        " ".join(rng.choice([*names, "strange"], rng.integers(0, 1 + 2 * words)))
        for _ in range(documents)
    ]
    expected = ranked_by_keybert(ranker, texts, of_documents)
    assert ranker(texts, of_documents) == expected
    with pytest.MonkeyPatch.context() as small:
        small.setattr(keywords, "_DOCUMENTS", 7)
        small.setattr(keywords, "_NUMBERS", 3 * dimension)
        assert ranker(texts, of_documents) == expected


def test_ranks_captions_as_keybert_does(encoder: Encoder) -> None:
    captions = list(islice(demo_captions(60), 300))
    documents = [" ".join(captions[at : at + 5]) for at in range(0, len(captions), 5)]
    documents += captions[:40]
    vectors = mean_vectors(encoder.encode(captions), [5] * 60)
    vectors = np.concatenate([vectors, encoder.encode(captions[:40])])
    vectorizer = corpus_vectorizer(documents)
    ranker = KeywordRanker.of(encoder, vectorizer, 4)
    analyse = vectorizer.build_analyzer()
    kept = [" ".join(analyse(document)) for document in documents]
    found = ranker(kept, vectors)
    assert found == ranked_by_keybert(ranker, kept, vectors)
    assert len(set(found)) > 50
    assigned = np.arange(len(documents)) % 2
    said = [["red", "blue", "two", "large"], []]
    rest = (ranker, documents, vectors, assigned, said, vectorizer, "relevance", {})
    assert extract_keywords(*rest) == extract_keywords(*rest, rank=ranked_by_keybert)


def test_no_documents_have_no_keywords() -> None:
    ranker = KeywordRanker(["boat"], np.ones((1, 2), dtype=np.float32), 4)
    nothing = np.empty((0, 2), dtype=np.float32)
    assert ranker([], nothing) == []
    assert ranker(["", "tree"], np.ones((2, 2), dtype=np.float32)) == [(), ()]
