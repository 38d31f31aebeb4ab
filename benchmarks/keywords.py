"""How much faster keywords are found than with KeyBERT, and the encoder's share of the time.

Documents are five captions in the demo's wording. KeyBERT and ours give them keywords in turns, and
must agree. Vectors are random for many documents, and the sentence encoder's for a few, where its
share is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import numpy as np
from sklearn import config_context
from sklearn.feature_extraction.text import CountVectorizer

from benchmarks.measure import argument_parser, interleaved, medians, record
from offline.demo.demo_corpus import demo_captions
from offline.identifiers.clusters import cluster_words
from semcore.guide.vectors import unit
from semcore.identifiers.encoder import Encoder, Vectors, mean_vectors
from semcore.identifiers.keywords import (
    KeywordRanker,
    Keywords,
    Ranking,
    corpus_vectorizer,
    extract_keywords,
)

_CAPTIONS = 5  # of a document
_DIMENSION = 384
_CLUSTERS, _SAID, _KEYWORDS = 128, 5, 4  # as the paper has them


class RandomEncoder(Encoder):
    """In place of a model: a random vector of unit length for each text."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def encode(self, texts: list[str]) -> Vectors:
        vectors = self._rng.standard_normal((len(texts), _DIMENSION), dtype=np.float32)
        return unit(vectors)


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("--documents", type=int, default=20_000, help="of random vectors")
    parser.add_argument(
        "--encoded", type=int, default=500, help="documents with vectors of a model"
    )
    arguments = parser.parse_args()
    many = measure(RandomEncoder(), arguments.documents, arguments.rounds)
    few = measure(Encoder(), arguments.encoded, arguments.rounds)
    ratios = {
        "keybert_to_ours": many["keybert"] / many["ours"],
        "encoder_share": few["encoder"] / (few["encoder"] + few["ours"]),
        "encoder_share_with_keybert": few["encoder"] / (few["encoder"] + few["keybert"]),
    }
    measured = {"seconds": {"random vectors": many, "vectors of the encoder": few}}
    sizes = {"documents": arguments.documents, "encoded": arguments.encoded}
    record("keywords", ratios, sizes | measured, arguments.out)


def measure(encoder: Encoder, size: int, rounds: int) -> dict[str, float]:
    """Median seconds to encode captions and words, and of both ways to give keywords."""
    captions = list(islice(demo_captions(size), size * _CAPTIONS))
    documents = [
        " ".join(captions[at : at + _CAPTIONS]) for at in range(0, len(captions), _CAPTIONS)
    ]
    vectorizer = corpus_vectorizer(documents)
    ranker = KeywordRanker.of(encoder, vectorizer, _KEYWORDS)
    vectors = mean_vectors(encoder.encode(captions), [_CAPTIONS] * size)
    assignment = np.random.default_rng(1).integers(0, _CLUSTERS, size)
    said = cluster_words(documents, assignment, _CLUSTERS, vectorizer, _SAID)

    def encode() -> None:
        KeywordRanker.of(encoder, vectorizer, _KEYWORDS)
        mean_vectors(encoder.encode(captions), [_CAPTIONS] * size)

    def keywords(rank: Ranking) -> Sequence[Keywords]:
        return extract_keywords(
            ranker, documents, vectors, assignment, said, vectorizer, "relevance", {}, rank
        )

    assert keywords(KeywordRanker.__call__) == keywords(ranked_by_keybert)
    tasks: dict[str, Callable[[], object]] = {
        "encoder": encode,
        "ours": partial(keywords, KeywordRanker.__call__),
        "keybert": partial(keywords, ranked_by_keybert),
    }
    return medians(interleaved(tasks, rounds))


def ranked_by_keybert(
    ranker: KeywordRanker, documents: list[str], vectors: Vectors
) -> list[Keywords]:
    """As :class:`KeywordRanker` does, one document after the other."""
    from keybert import KeyBERT  # after what quietens the libraries that it loads
    from keybert.backend import BaseEmbedder

    if not documents:
        return []
    # KeyBERT answers a single document in another shape; a second, empty one avoids that.
    padded = np.vstack([vectors, np.zeros_like(vectors[:1])])
    # Checks of each document's vectors would take longer than to rank its words.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        found = KeyBERT(BaseEmbedder()).extract_keywords(
            [*documents, ""],
            vectorizer=CountVectorizer(vocabulary=ranker.words, token_pattern=r"(?u)\S+"),
            top_n=ranker.keywords,
            doc_embeddings=padded,
            word_embeddings=ranker.vectors,
        )
    return [tuple(word for word, _ in pairs) for pairs in found[:-1]]


if __name__ == "__main__":
    main()
