"""What the guide costs a search, beside a public vector index of the same vectors.

Items are invented (:mod:`benchmarks.vectors`). At each size the exact search for the fifty nearest,
the descent to them, the cosines of as many candidates as the beams bring, and faiss's HNSW are
timed in turns. Encoding the query comes on top and is told by itself. Of sizes beyond
``--most-hnsw`` the bytes of HNSW are reckoned and not measured. Ten million items need 6 GB of
disk, and are left out where there is no room.
"""

from __future__ import annotations

import shutil
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
from benchmarks.vectors import hnsw_bytes, hnsw_of, queries_near, write_vectors
from semcore.guide.cells import Cells, build_cells, cell_files
from semcore.guide.guide import loaded_encoder
from semcore.guide.vectors import VECTORS, Quantised, VectorTable
from semcore.identifiers.encoder import Vectors
from service.guide.cosines import all_cosines
from service.guide.nearest import nearest
from service.guide.visible import Visible
from service.index.visible_items import EXACT_WITHOUT_CELLS
from service.search.candidates import GUIDED

_CANDIDATES = 100
_ROOM = 600  # bytes of disk an item
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
            if shutil.disk_usage(folder).free < _ROOM * size:
                print(f"{size} items are left out: {folder} has no {_ROOM * size} bytes of room")
                continue
            with_hnsw = size <= arguments.most_hnsw
            measured[str(size)] = _at(size, Path(folder), arguments.rounds, with_hnsw=with_hnsw)
    encoder = loaded_encoder("")
    seconds = interleaved({"encode": lambda: encoder.encode([_QUERY])}, arguments.rounds)
    first, last = (list(measured.values())[place] for place in (0, -1))
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
            ratios[f"descent_to_hnsw_{size}"] = told["descent_ms"] / told["hnsw_ms"]
            if "exact_ms" in told:
                ratios[f"exact_to_hnsw_{size}"] = told["exact_ms"] / told["hnsw_ms"]
        if "hnsw_bytes_an_item" in told:
            ratios[f"bytes_to_hnsw_{size}"] = told["bytes_an_item"] / told["hnsw_bytes_an_item"]
    record("guide", ratios, measured, arguments.out)


def _at(size: int, folder: Path, rounds: int, *, with_hnsw: bool) -> dict[str, float]:
    rng = np.random.default_rng(size)
    place = folder / str(size)
    place.mkdir()
    identifiers = write_vectors(place / VECTORS, size, rng)
    index: Any = _Index(VectorTable(place).rows)
    build_cells(zip(identifiers, range(size), strict=True), index.table).save(place, "text")
    every, descent = Visible(BitMap(range(size))), Visible(BitMap(), Cells.load(place, "text"))
    queries = queries_near(index.table, _QUERIES, rng)
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
        graph = hnsw_of(index.table)
        told["hnsw_build_s"] = time.perf_counter() - began
        told["hnsw_bytes_an_item"] = len(faiss.serialize_index(graph)) / size
        told["hnsw_recall_at_10"] = _recall(
            index, queries, lambda query: graph.search(query[None], GUIDED)[1][0]
        )
        tasks["hnsw"] = lambda: graph.search(next(turn)[None], GUIDED)
    else:
        told["hnsw_bytes_an_item"] = hnsw_bytes()
    seconds = medians(interleaved(tasks, rounds))
    return told | {f"{name}_ms": 1000 * value for name, value in seconds.items()}


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
