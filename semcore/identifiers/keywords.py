"""Lexical IDs: KeyBERT keywords of an item, minus the words that its cluster already says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from keybert import KeyBERT
from keybert.backend import BaseEmbedder
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.feature_extraction.text import CountVectorizer

from semcore.bundle.bundle import Order
from semcore.errors import CorpusError
from semcore.identifiers.encoder import Encoder, Vectors

Keywords = tuple[str, ...]

# The letters are taken at once or not at all: else of "ab1" the "a" would be a word.
_WORD = r"(?u)\b(?>[^\W\d_]{2,40})(?![\d_])"
_BYTES = 240
"""Of all keywords of an identifier in UTF-8. A model that reads bytes spells no more tokens, and an
identifier has room for 254."""

# Words that say nothing about a picture although no list of stop words has them.
_HOLLOW = {"picture", "photo", "photograph", "image", "look"}
# Numbers tell near-duplicates apart, yet scikit-learn's list of stop words has them.
NUMBERS = {"one", "two", "three", "four", "five", "six", "eight", "nine", "ten"}


def word_vectorizer(texts: Sequence[str]) -> CountVectorizer:
    """Fitted on ``texts``: lower-case words of 2 letters or more without stop words, and of longer
    ones the first 40 letters.

    Raises ``ValueError`` if the texts have none.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    stop_words = sorted((ENGLISH_STOP_WORDS | _HOLLOW) - NUMBERS)
    vectorizer = CountVectorizer(stop_words=stop_words, token_pattern=_WORD)
    return vectorizer.fit(texts)


def corpus_vectorizer(texts: Sequence[str]) -> CountVectorizer:
    """That of all texts of a corpus: of any words, where they have no others than stop words.

    Raises :class:`CorpusError` if they have no word at all.
    """
    try:
        return word_vectorizer(texts)
    except ValueError:
        pass
    try:
        return CountVectorizer(token_pattern=r"(?u)\w{1,40}").fit(texts)
    except ValueError as error:
        raise CorpusError("no caption has a word in it; name the pictures' captions") from error


def word_frequencies(texts: Sequence[str], vectorizer: CountVectorizer) -> dict[str, int]:
    """How many of the texts have each word."""
    analyse = vectorizer.build_analyzer()
    return dict(Counter(word for text in texts for word in dict.fromkeys(analyse(text))))


@dataclass(frozen=True, slots=True)
class KeywordRanker:
    """Ranks the words of documents by their nearness to them, with KeyBERT.

    Attributes:
        words: those that may be keywords.
        vectors: float32 [len(words), dimension], their embeddings.
        keywords: most words of a document.
    """

    words: list[str]
    vectors: Vectors
    keywords: int

    @classmethod
    def of(cls, encoder: Encoder, vectorizer: CountVectorizer, keywords: int) -> KeywordRanker:
        """One for all words that the vectorizer knows, each embedded once."""
        words = [str(word) for word in vectorizer.get_feature_names_out()]
        return cls(words, encoder.encode(words), keywords)

    def __call__(self, documents: list[str], vectors: Vectors) -> list[Keywords]:
        """The nearest words of each document, best first.

        Args:
            documents: words, by spaces.
            vectors: float32 [len(documents), dimension], their embeddings.
        """
        if not documents:
            return []
        # KeyBERT answers a single document in another shape; a second, empty one avoids that.
        padded = np.vstack([vectors, np.zeros_like(vectors[:1])])
        # The vectors are known to be good; checking them anew a document takes longer than ranking.
        with config_context(assume_finite=True, skip_parameter_validation=True):
            found = KeyBERT(BaseEmbedder()).extract_keywords(
                [*documents, ""],
                vectorizer=CountVectorizer(vocabulary=self.words, token_pattern=r"(?u)\S+"),
                top_n=self.keywords,
                doc_embeddings=padded,
                word_embeddings=self.vectors,
            )
        return [tuple(word for word, _ in pairs) for pairs in found[:-1]]


Ranking = Callable[[KeywordRanker, list[str], Vectors], list[Keywords]]
"""Where documents are ranked: here, or spread over other processes."""


def extract_keywords(
    ranker: KeywordRanker,
    texts: Sequence[str],
    vectors: Vectors,
    assignment: NDArray[np.int64],
    said: Sequence[Sequence[str]],
    vectorizer: CountVectorizer,
    order: Order,
    frequencies: Mapping[str, int],
    rank: Ranking = KeywordRanker.__call__,
) -> list[Keywords]:
    """The words of each item, those nearest to its text (paper 3.2.2).

    Words are embedded once for the whole corpus and texts not again, which makes KeyBERT fast.
    An item left with fewer words than asked for takes words of its cluster to fill up.

    Args:
        vectors: float32 [len(texts), dimension], the embeddings of ``texts``.
        assignment: int64 [len(texts)], the cluster of each.
        said: for each cluster the words to leave out.
        order: nearest first, as in the paper, or by the words' frequencies.
        frequencies: of words, 0 for those that it lacks.

    Returns:
        For each text at most as many words as the ranker gives, which have 240 bytes together at
        most: longer ones, such as sentences in Chinese, are cut.
    """
    analyse = vectorizer.build_analyzer()
    hidden = [frozenset(group) for group in said]
    kept, left = [], []
    for text, cluster in zip(texts, assignment, strict=True):
        tokens = analyse(text)
        kept.append(" ".join(token for token in tokens if token not in hidden[cluster]))
        left.append(" ".join(token for token in tokens if token in hidden[cluster]))
    ranked = rank(ranker, kept, vectors)
    short = [row for row, found in enumerate(ranked) if len(found) < ranker.keywords]
    fill = rank(ranker, [left[row] for row in short], vectors[short])
    for row, more in zip(short, fill, strict=True):
        ranked[row] = (*ranked[row], *more)[: ranker.keywords]
    if order != "relevance":
        sign = 1 if order == "rarest" else -1
        ranked = [
            tuple(sorted(found, key=lambda word: sign * frequencies.get(word, 0)))
            for found in ranked
        ]
    longest = _BYTES // max(1, ranker.keywords) - 1  # a space is a byte, too
    return [tuple(dict.fromkeys(_cut(word, longest) for word in found)) for found in ranked]


def _cut(word: str, longest: int) -> str:
    """The beginning of a word that has no more bytes: whole letters, one at least."""
    if len(word.encode()) <= longest:
        return word
    return word.encode()[:longest].decode(errors="ignore") or word[0]
