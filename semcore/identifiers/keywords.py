"""Lexical IDs: KeyBERT keywords of an item, minus the words that its cluster already says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from semcore.bundle.bundle import Order
from semcore.errors import CorpusError
from semcore.identifiers.encoder import Encoder, Vectors

Keywords = tuple[str, ...]

# The letters are taken at once or not at all: else of "ab1" the "a" would be a word.
_WORD = r"(?u)\b(?>[^\W\d_]{2,40})(?![\d_])"
_BYTES = 240
"""Of all keywords of an identifier in UTF-8. A model that reads bytes spells no more tokens, and an
identifier has room for 254."""
_DOCUMENTS = 8192  # ranked at a time
_NUMBERS = 1 << 18  # of word vectors gathered at a time: 1 MiB, for which caches have room

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
    """Ranks the words of documents by their cosine to them, as KeyBERT does.

    The result is the one of KeyBERT's ``extract_keywords`` (Grootendorst 2020, KeyBERT 0.9) with
    these embeddings, to the order of words that are equally near. KeyBERT takes one document after
    the other; here those with equally many words are ranked at once. Matrix product and sort are
    done row by row by the routines that KeyBERT calls, with the shapes that it calls them with, so
    that their rounding is the same.

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
        """The nearest words of each document, best first; none of one that has no known word.

        Args:
            documents: words, by spaces.
            vectors: float32 [len(documents), dimension], their embeddings.

        Raises ``ValueError`` if an embedding has a number that is not finite.
        """
        counter = CountVectorizer(vocabulary=self.words, token_pattern=r"(?u)\S+")
        names = np.array(self.words, dtype=object)
        ranked: list[Keywords] = []
        for at in range(0, len(documents), _DOCUMENTS):
            part = slice(at, at + _DOCUMENTS)
            has = counter.transform(documents[part])
            own: list[Keywords] = [()] * has.shape[0]
            for rows, nearest in self._nearest(has, normalize(vectors[part])):
                for row, words in zip(rows.tolist(), names[nearest].tolist(), strict=True):
                    own[row] = tuple(words)
            ranked += own
        return ranked

    def _nearest(
        self, has: csr_matrix, documents: Vectors
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
        """Rows of documents, and of each the indices of its nearest words, best first.

        Args:
            has: [documents, words], how often each document has each word, indices in order.
            documents: float32 [documents, dimension], of unit length.
        """
        used, own = np.unique(has.indices, return_inverse=True)
        if not len(used):
            return
        vectors = normalize(self.vectors[used])
        counts = np.diff(has.indptr)
        for count in np.unique(counts[counts > 0]).tolist():
            alike = np.flatnonzero(counts == count)
            step = max(1, _NUMBERS // (count * vectors.shape[1]))
            for at in range(0, len(alike), step):
                rows = alike[at : at + step]
                words = own[has.indptr[rows, None] + np.arange(count)]
                cosines = documents[rows, None, :] @ vectors[words].transpose(0, 2, 1)
                order = cosines[:, 0].argsort(axis=1)[:, -self.keywords :][:, ::-1]
                yield rows, used[np.take_along_axis(words, order, axis=1)]


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

    Words are embedded once for the whole corpus, and texts not again.
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
    kept = [
        " ".join(token for token in analyse(text) if token not in hidden[cluster])
        for text, cluster in zip(texts, assignment, strict=True)
    ]
    ranked = rank(ranker, kept, vectors)
    short = [row for row, found in enumerate(ranked) if len(found) < ranker.keywords]
    left = [
        " ".join(token for token in analyse(texts[row]) if token in hidden[assignment[row]])
        for row in short
    ]
    fill = rank(ranker, left, vectors[short])
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
