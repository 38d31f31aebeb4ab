"""Invented items with vectors, in any number, and a public index of the same vectors.

Each item has a cluster and four of 5,000 words, common ones more often, and its vector is the sum
of theirs, in the proportions that captions of photographs have.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from semcore.guide.vectors import Quantised, quantised, unit
from semcore.identifiers.encoder import Vectors
from semcore.identifiers.identifier import global_token

DIMENSION, CLUSTERS = 384, 128
NEIGHBOURS, EFFORT = 32, 64  # of HNSW: links a vector, and places looked at
_CHUNK = 50_000
_WORDS, _KEYWORDS = 5_000, 4
_CLUSTER_WEIGHT, _WORD_WEIGHT, _NOISE = 0.63, 0.39, 0.2  # lengths, before they are added up


def write_vectors(file: Path, size: int, rng: np.random.Generator) -> list[str]:
    """The vectors into a file; the identifiers."""
    table = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        file, mode="w+", dtype=np.int8, shape=(size, DIMENSION)
    )
    clusters = unit(rng.standard_normal((CLUSTERS, DIMENSION)).astype(np.float32))
    words = unit(rng.standard_normal((_WORDS, DIMENSION)).astype(np.float32))
    often = 1 / np.arange(1, _WORDS + 1)
    spelled = [_spelled(word) for word in range(_WORDS)]
    identifiers: list[str] = []
    for start in range(0, size, _CHUNK):
        count = min(_CHUNK, size - start)
        cluster = rng.integers(CLUSTERS, size=count)
        chosen = rng.choice(_WORDS, size=(count, _KEYWORDS), p=often / often.sum())
        noise = rng.standard_normal((count, DIMENSION)).astype(np.float32)
        noise *= _NOISE / np.sqrt(DIMENSION)
        said = words[chosen].sum(axis=1)
        vectors = _CLUSTER_WEIGHT * clusters[cluster] + _WORD_WEIGHT * said + noise
        table[start : start + count] = quantised(vectors)
        for one, own in zip(cluster.tolist(), chosen.tolist(), strict=True):
            identifiers.append(" ".join([global_token(one), *(spelled[word] for word in own)]))
    table.flush()
    return identifiers


def hnsw_of(table: Quantised) -> Any:
    """faiss's HNSW over the same vectors in float32."""
    graph = faiss.IndexHNSWFlat(DIMENSION, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efSearch = EFFORT
    graph.add(unit(table))
    return graph


def queries_near(table: Quantised, count: int, rng: np.random.Generator) -> Vectors:
    """Queries that lie as near to an item as another caption of its picture may."""
    own = unit(table[rng.integers(0, len(table), count)])
    noise = rng.standard_normal(own.shape).astype(np.float32) / np.sqrt(DIMENSION)
    return unit(own + 0.8 * noise)


def _spelled(word: int) -> str:
    return "w" + "".join(chr(97 + int(digit)) for digit in str(word))


def hnsw_bytes() -> float:
    """Bytes an item of :func:`hnsw_of`: the vector, twice the links at the bottom, one in so many
    items on each level above, and where its links and levels are noted."""
    above = NEIGHBOURS / (NEIGHBOURS - 1)
    return 4 * DIMENSION + 4 * 2 * NEIGHBOURS + 4 * above + 12
