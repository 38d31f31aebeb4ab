"""What the guide costs a search, beside a public vector index of the same vectors.

Vectors are random. At each size the exact search for the fifty nearest, the cosines of as many
candidates as the beams bring, and faiss's HNSW are timed in turns. Encoding the query comes on top
and is told by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss
import numpy as np
from pyroaring import BitMap

from benchmarks.measure import argument_parser, interleaved, medians, record
from semcore.guide.guide import loaded_encoder
from semcore.guide.vectors import VECTORS, Quantised, VectorTable, quantised, unit
from semcore.identifiers.encoder import Vectors
from service.index.snapshot import EXACT_UP_TO
from service.search.candidates import GUIDED
from service.search.nearest import all_cosines, nearest

_DIMENSION = 384
_CANDIDATES = 100
_NEIGHBOURS, _EFFORT = 32, 64  # of HNSW: links a vector, and places looked at
_CHUNK = 50_000
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
        "bytes_an_item": last["bytes_an_item"],
        "encode_ms": 1000 * medians(seconds)["encode"],
    }
    for size, told in measured.items():
        ratios |= {
            f"{name}_{size}": told[name] for name in ("exact_ms", "candidates_ms") if name in told
        }
        if "hnsw_ms" in told:
            ratios[f"exact_to_hnsw_{size}"] = told["exact_ms"] / told["hnsw_ms"]
            ratios[f"bytes_to_hnsw_{size}"] = told["bytes_an_item"] / told["hnsw_bytes_an_item"]
    record("guide", ratios, measured, arguments.out)


def _at(size: int, folder: Path, rounds: int, *, with_hnsw: bool) -> dict[str, float]:
    rng = np.random.default_rng(size)
    place = folder / str(size)
    place.mkdir()
    _write(place / VECTORS, size, rng)
    index: Any = _Index(VectorTable(place).rows)
    query = unit(rng.standard_normal((1, _DIMENSION)).astype(np.float32))[0]
    tasks: dict[str, Callable[[], object]] = {
        "candidates": lambda: all_cosines(index, rng.integers(0, size, _CANDIDATES), query),
    }
    told: dict[str, float] = {"bytes_an_item": (place / VECTORS).stat().st_size / size}
    if size <= EXACT_UP_TO:
        every = BitMap(range(size))
        tasks["exact"] = lambda: nearest(index, every, query, GUIDED)
    if with_hnsw:
        began = time.perf_counter()
        graph = _hnsw(index.table)
        told["hnsw_build_s"] = time.perf_counter() - began
        told["hnsw_bytes_an_item"] = len(faiss.serialize_index(graph)) / size
        told["hnsw_recall_at_10"] = _recall(graph, index, rng)
        tasks["hnsw"] = lambda: graph.search(query[None], GUIDED)
    seconds = medians(interleaved(tasks, rounds))
    return told | {f"{name}_ms": 1000 * value for name, value in seconds.items()}


def _write(file: Path, size: int, rng: np.random.Generator) -> None:
    table = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        file, mode="w+", dtype=np.int8, shape=(size, _DIMENSION)
    )
    for start in range(0, size, _CHUNK):
        count = min(_CHUNK, size - start)
        vectors = rng.standard_normal((count, _DIMENSION)).astype(np.float32)
        table[start : start + count] = quantised(vectors)
    table.flush()


def _hnsw(table: Quantised) -> Any:
    graph = faiss.IndexHNSWFlat(_DIMENSION, _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efSearch = _EFFORT
    graph.add(unit(table))
    return graph


def _recall(graph: Any, index: Any, rng: np.random.Generator) -> float:
    """Share of the ten nearest that HNSW finds, of queries near to items."""
    size, queries = len(index.table), 50
    near: Vectors = unit(index.table[rng.integers(0, size, queries)])
    near = unit(near + 0.05 * rng.standard_normal(near.shape).astype(np.float32))
    _, found = graph.search(near, 10)
    every = BitMap(range(size))
    exact = [set(nearest(index, every, query, 10)[0].tolist()) for query in near]
    return float(np.mean([len(one & set(row)) / 10 for one, row in zip(exact, found, strict=True)]))


if __name__ == "__main__":
    main()
