"""Identifiers in any number: a cluster and four different words, frequent ones and rare ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semcore.identifiers.identifier import Identifier
from semcore.trie.walk import Walk
from semcore.trie.walk_builder import build_walk

KEYWORDS = 4
_LETTERS = np.array(list("etaoinshrdlucmfwypvbgk"))


@dataclass(frozen=True, slots=True)
class Spelling:
    """The tokens of clusters and words, and the token that ends an identifier.

    ``words`` may have several tokens each.
    """

    clusters: Sequence[int]
    words: Sequence[Sequence[int]]
    end: int


def draw_identifiers(count: int, clusters: int, words: int, seed: int = 0) -> NDArray[np.int64]:
    """Different identifiers, int64 [count, 5]: cluster, then four different words, in no order.

    Word r is drawn with a probability that falls as 1 / r, as words of a language do (Zipf).

    Raises ``ValueError`` if there are not enough different ones.
    """
    rng = np.random.default_rng(seed)
    keys = np.empty(0, dtype=np.int64)
    for _ in range(200):
        if len(keys) >= count:
            break
        missing = int(1.3 * (count - len(keys))) + 1000
        ranks = np.minimum((words ** rng.random((missing, KEYWORDS))).astype(np.int64), words) - 1
        drawn = np.concatenate([rng.integers(0, clusters, (missing, 1)), ranks], axis=1)
        in_order = np.sort(ranks, axis=1)
        drawn = drawn[(in_order[:, 1:] != in_order[:, :-1]).all(axis=1)]
        keys = np.unique(np.concatenate([keys, _packed(drawn, words)]))
    if len(keys) < count:
        raise ValueError(f"{clusters} clusters and {words} words do not give {count} identifiers")
    return _unpacked(rng.permutation(keys)[:count], words)


def spell(
    identifiers: NDArray[np.int64], spelling: Spelling
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Tokens of all identifiers one after the other, and the length of each."""
    longest = max(map(len, spelling.words))
    table = np.full((len(spelling.words), longest), -1, dtype=np.int32)
    for number, tokens in enumerate(spelling.words):
        table[number, : len(tokens)] = tokens
    count = len(identifiers)
    parts = [np.asarray(spelling.clusters, dtype=np.int32)[identifiers[:, :1]]]
    parts += [table[identifiers[:, 1 + place]] for place in range(KEYWORDS)]
    parts.append(np.full((count, 1), spelling.end, dtype=np.int32))
    rows = np.concatenate(parts, axis=1)
    present = rows >= 0
    return rows[present], present.sum(axis=1)


def walk_over(identifiers: NDArray[np.int64], spelling: Spelling) -> Walk:
    """The walk, with one item an identifier."""
    numbers = np.arange(len(identifiers))
    return build_walk(*spell(identifiers, spelling), numbers, numbers)


def invented_words(count: int, seed: int = 0) -> list[str]:
    """Different words of three to nine letters."""
    rng = np.random.default_rng(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(rng.choice(_LETTERS, rng.integers(3, 10)))] = None
    return list(words)


def invented_spelling(clusters: int, words: int, seed: int = 0) -> Spelling:
    """As a tokenizer of 150,000 tokens has it: half of the words are one token, some are three."""
    rng = np.random.default_rng(seed)
    firsts = rng.permutation(100_000)[:words]
    pieces = rng.integers(100_000, 110_000, (words, 2))
    lengths = rng.choice([1, 2, 3], words, p=[0.55, 0.35, 0.1])
    spelled = [
        [int(first), *piece[: length - 1].tolist()]
        for first, piece, length in zip(firsts, pieces, lengths, strict=True)
    ]
    return Spelling(range(120_000, 120_000 + clusters), spelled, 149_999)


def enlarged_spelling(
    known: Spelling, tokens: Sequence[int], clusters: int, words: int, seed: int = 0
) -> Spelling:
    """A spelling with more clusters and words, in the tokens of a model with few of them.

    Args:
        known: the model's own clusters and words; they come first.
        tokens: that new clusters have, and that new words are made of: two each, or three.
    """
    rng = np.random.default_rng(seed)
    others = [token for token in tokens if token not in set(known.clusters)]
    spelled = {tuple(word): None for word in known.words}
    while len(spelled) < words:
        spelled[tuple(rng.choice(others, rng.choice([2, 3], p=[0.8, 0.2])).tolist())] = None
    return Spelling([*known.clusters, *others][:clusters], list(spelled)[:words], known.end)


def texts(identifiers: NDArray[np.int64], words: Sequence[str]) -> Iterator[str]:
    """The identifiers as they stand in a trie."""
    for cluster, *chosen in identifiers.tolist():
        yield Identifier(cluster, tuple(words[word] for word in chosen)).text


def _packed(identifiers: NDArray[np.int64], words: int) -> NDArray[np.int64]:
    packed = identifiers[:, 0]
    for place in range(1, KEYWORDS + 1):
        packed = packed * words + identifiers[:, place]
    return packed


def _unpacked(packed: NDArray[np.int64], words: int) -> NDArray[np.int64]:
    columns = []
    for _ in range(KEYWORDS):
        packed, word = np.divmod(packed, words)
        columns.append(word)
    return np.stack([packed, *reversed(columns)], axis=1)
