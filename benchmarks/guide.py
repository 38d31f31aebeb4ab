"""What the guide costs a search, beside a public vector index of the same vectors.

Items are invented: each has a cluster and four of 5,000 words, common ones more often, and its
vector is the sum of theirs, in the proportions that captions of photographs have. At each size the
exact search for the fifty nearest, the descent to them, the cosines of as many candidates as the
beams bring, and faiss's HNSW are timed in turns. Encoding the query comes on top and is told by
itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss
import numpy as np
from pyroaring import BitMap

from benchmarks.measure import argument_parser, interleaved, medians, record
from semcore.guide.cells import Cells, build_cells, cell_files
from semcore.guide.guide import loaded_encoder
from semcore.guide.vectors import VECTORS, Quantised, VectorTable, quantised, unit
from semcore.identifiers.encoder import Vectors
from semcore.identifiers.identifier import global_token
from service.guide.cosines import all_cosines
from service.guide.nearest import nearest
from service.guide.visible import Visible
from service.index.visible_items import EXACT_WITHOUT_CELLS
from service.search.candidates import GUIDED

_DIMENSION = 384
_CANDIDATES = 100
_NEIGHBOURS, _EFFORT = 32, 64  # of HNSW: links a vector, and places looked at
_CHUNK = 50_000
_CLUSTERS, _WORDS, _KEYWORDS = 128, 5_000, 4
_CLUSTER_WEIGHT, _WORD_WEIGHT, _NOISE = 0.63, 0.39, 0.2  # lengths, before they are added up
_QUERIES = 50  # that recall is measured with
_QUERY = "two red boats at night"


class _Index:
    """As much of a snapshot as the guide's search looks at."""

    def __init__(self, table: Quantised) -> None:
        self.table = table


def main() -> None:
    parser = argument_parser(__doc__, rounds=30)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--most-hnsw", type=int, default=100_000, help="items of the largest HNSW")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    measured: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for size in arguments.sizes:
            with_hnsw = size <= arguments.most_hnsw
            measured[str(size)] = _at(size, Path(folder), arguments.rounds, with_hnsw=with_hnsw)
    encoder = loaded_encoder("")
    seconds = interleaved({"encode": lambda: encoder.encode([_QUERY])}, arguments.rounds)
    first, last = (measured[str(arguments.sizes[place])] for place in (0, -1))
    ratios = {
        "candidates_at_largest_to_smallest": last["candidates_ms"] / first["candidates_ms"],
        "descent_at_largest_to_smallest": last["descent_ms"] / first["descent_ms"],
        "bytes_an_item": last["bytes_an_item"],
        "cells_bytes_an_item": last["cells_bytes_an_item"],
        "encode_ms": 1000 * medians(seconds)["encode"],
    }
    for size, told in measured.items():
        ratios |= {
            f"{name}_{size}": told[name]
            for name in ("exact_ms", "candidates_ms", "descent_ms", "descent_recall_at_10")
            if name in told
        }
        if "hnsw_ms" in told:
            ratios[f"exact_to_hnsw_{size}"] = told["exact_ms"] / told["hnsw_ms"]
            ratios[f"bytes_to_hnsw_{size}"] = told["bytes_an_item"] / told["hnsw_bytes_an_item"]
    record("guide", ratios, measured, arguments.out)


def _at(size: int, folder: Path, rounds: int, *, with_hnsw: bool) -> dict[str, float]:
    rng = np.random.default_rng(size)
    place = folder / str(size)
    place.mkdir()
    identifiers = _write(place / VECTORS, size, rng)
    index: Any = _Index(VectorTable(place).rows)
    build_cells(zip(identifiers, range(size), strict=True), index.table).save(place, "text")
    every, descent = Visible(BitMap(range(size))), Visible(BitMap(), Cells.load(place, "text"))
    queries = _near(index.table, rng)
    turn = cycle(queries)
    tasks: dict[str, Callable[[], object]] = {
        "candidates": lambda: all_cosines(index, rng.integers(0, size, _CANDIDATES), next(turn)),
        "descent": lambda: nearest(index, descent, next(turn), GUIDED),
    }
    told: dict[str, float] = {
        "bytes_an_item": (place / VECTORS).stat().st_size / size,
        "cells_bytes_an_item": sum((place / f).stat().st_size for f in cell_files("text")) / size,
        "descent_recall_at_10": _recall(
            index, queries, lambda query: nearest(index, descent, query, GUIDED)[0]
        ),
    }
    if size <= EXACT_WITHOUT_CELLS:
        tasks["exact"] = lambda: nearest(index, every, next(turn), GUIDED)
    if with_hnsw:
        began = time.perf_counter()
        graph = _hnsw(index.table)
        told["hnsw_build_s"] = time.perf_counter() - began
        told["hnsw_bytes_an_item"] = len(faiss.serialize_index(graph)) / size
        told["hnsw_recall_at_10"] = _recall(
            index, queries, lambda query: graph.search(query[None], GUIDED)[1][0]
        )
        tasks["hnsw"] = lambda: graph.search(next(turn)[None], GUIDED)
    seconds = medians(interleaved(tasks, rounds))
    return told | {f"{name}_ms": 1000 * value for name, value in seconds.items()}


def _write(file: Path, size: int, rng: np.random.Generator) -> list[str]:
    """The vectors into a file; the identifiers."""
    table = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        file, mode="w+", dtype=np.int8, shape=(size, _DIMENSION)
    )
    clusters = unit(rng.standard_normal((_CLUSTERS, _DIMENSION)).astype(np.float32))
    words = unit(rng.standard_normal((_WORDS, _DIMENSION)).astype(np.float32))
    often = 1 / np.arange(1, _WORDS + 1)
    spelled = [_spelled(word) for word in range(_WORDS)]
    identifiers: list[str] = []
    for start in range(0, size, _CHUNK):
        count = min(_CHUNK, size - start)
        cluster = rng.integers(_CLUSTERS, size=count)
        chosen = rng.choice(_WORDS, size=(count, _KEYWORDS), p=often / often.sum())
        noise = rng.standard_normal((count, _DIMENSION)).astype(np.float32)
        noise *= _NOISE / np.sqrt(_DIMENSION)
        said = words[chosen].sum(axis=1)
        vectors = _CLUSTER_WEIGHT * clusters[cluster] + _WORD_WEIGHT * said + noise
        table[start : start + count] = quantised(vectors)
        for one, own in zip(cluster.tolist(), chosen.tolist(), strict=True):
            identifiers.append(" ".join([global_token(one), *(spelled[word] for word in own)]))
    table.flush()
    return identifiers


def _spelled(word: int) -> str:
    return "w" + "".join(chr(97 + int(digit)) for digit in str(word))


def _hnsw(table: Quantised) -> Any:
    graph = faiss.IndexHNSWFlat(_DIMENSION, _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efSearch = _EFFORT
    graph.add(unit(table))
    return graph


def _near(table: Quantised, rng: np.random.Generator) -> Vectors:
    """Queries that lie as near to an item as another caption of its picture may."""
    own = unit(table[rng.integers(0, len(table), _QUERIES)])
    noise = rng.standard_normal(own.shape).astype(np.float32) / np.sqrt(_DIMENSION)
    return unit(own + 0.8 * noise)


def _recall(index: Any, queries: Vectors, search: Callable[[Vectors], Any]) -> float:
    """Share of the ten nearest that a search for fifty finds."""
    every = Visible(BitMap(range(len(index.table))))
    shares = []
    for query in queries:
        exact = nearest(index, every, query, 10)[0].tolist()
        shares.append(len(set(exact) & set(search(query).tolist())) / len(exact))
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
