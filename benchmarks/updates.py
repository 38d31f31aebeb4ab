"""Items added to and deleted from a living index, beside faiss's HNSW of the same vectors.

The index is one that the guide alone searches, with invented items (:mod:`benchmarks.vectors`).
Changes go through the service's own writer, as a client's do behind HTTP: they are checked, written
to the journal and flushed to the disk, and can be found when the call returns. Vectors and
identifiers of new items are given, so that no encoder is timed. faiss keeps all in memory, and is
done as soon as that has changed.

faiss's HNSW cannot remove a vector, also below an ``IndexIDMap2``. What stands in for that is to
mark it, so that searches pass over it, and to build the graph anew at some time; both are told. A
flat index with ids removes, and moves all vectors behind.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss
import numpy as np

from benchmarks.measure import argument_parser, interleaved, medians, record
from benchmarks.vectors import (
    CLUSTERS,
    DIMENSION,
    NEIGHBOURS,
    hnsw_bytes,
    hnsw_of,
    queries_near,
    write_vectors,
)
from semcore.bundle.bundle import ITEMS, CorpusRecord, GuideRecord, Manifest, SettingsRecord, staged
from semcore.bundle.item import Item, write_items
from semcore.guide.cells import build_cells, cell_files
from semcore.guide.vectors import VECTORS, VectorTable, unit
from semcore.identifiers.clusters import Clusters
from semcore.identifiers.encoder import Vectors
from semcore.identifiers.identifier import Identifier
from semcore.journal.journal import Journal
from service.guide.nearest import nearest
from service.index.snapshot import Snapshot
from service.living.item_writer import Writer
from service.living.reload import Lifecycle
from service.schemas.admin import NewItem
from service.search.candidates import GUIDED
from service.settings import Settings

_FAISS: Any = faiss  # whose annotations know the C++ side only
_AT_ONCE = 100  # items that a request may add
_GUIDE = "given"


class _Given:
    """A guide and a namer whose texts are places in a table."""

    fingerprint, sees, picture_weight = _GUIDE, False, 0.0

    def __init__(self, vectors: Vectors, identifiers: Sequence[str]) -> None:
        self._vectors = vectors
        self._identifiers = identifiers

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._vectors[[int(text) for text in texts]]

    def name(self, _: str, captions: Sequence[str]) -> Identifier:
        return Identifier.parse(self._identifiers[int(captions[0])])


def main() -> None:
    parser = argument_parser(__doc__, rounds=30)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--most-hnsw", type=int, default=100_000, help="items of the largest HNSW")
    parser.add_argument("--changes", type=int, default=200, help="items added, and deleted, each")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    measured: dict[str, dict[str, Any]] = {}
    ratios: dict[str, float] = {}
    for size in arguments.sizes:
        with TemporaryDirectory() as folder:
            with_hnsw = size <= arguments.most_hnsw
            told = _at(size, Path(folder), arguments.changes, arguments.rounds, with_hnsw=with_hnsw)
        measured[str(size)] = told
        for name in ("added_singly", "added_by_hundred", "deleted"):
            ratios[f"{name}_a_second_{size}"] = told[f"ours_{name}_a_second"]
        ratios[f"bytes_to_hnsw_{size}"] = told["ours_bytes_an_item"] / told["hnsw_bytes_an_item"]
        if with_hnsw:
            for name in ("added_singly", "added_by_hundred"):
                ours, theirs = (told[f"{who}_{name}_a_second"] for who in ("ours", "hnsw"))
                ratios[f"{name}_to_hnsw_{size}"] = ours / theirs
            ratios[f"hnsw_build_s_{size}"] = told["hnsw_build_s"]
    record("updates", ratios, measured, arguments.out)


def _at(size: int, folder: Path, changes: int, rounds: int, *, with_hnsw: bool) -> dict[str, Any]:
    """Args:
    changes: items that are added by each way of adding, and deleted.
    """
    rng = np.random.default_rng(size)
    count = size + 2 * changes
    identifiers = write_vectors(folder / "all.npy", count, rng)
    table = VectorTable(folder, "all.npy").rows
    _write_bundle(folder / "bundle", table[:size], identifiers[:size])
    told = asyncio.run(_ours(folder, table, identifiers, size, changes, rounds, rng))
    new, gone = unit(table[size:]), rng.choice(size, changes, replace=False)
    flat = _FAISS.IndexIDMap2(faiss.IndexFlatIP(DIMENSION))
    flat.add_with_ids(unit(table[:size]), np.arange(size))
    told["flat_removed_a_second"] = _rate(lambda one: flat.remove_ids(one[None]), gone)
    if not with_hnsw:
        return told | {"hnsw_bytes_an_item": hnsw_bytes()}
    return told | _theirs(table[:size], new, gone, rounds, rng)


async def _ours(
    folder: Path,
    table: Any,
    identifiers: Sequence[str],
    size: int,
    changes: int,
    rounds: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    journal = Journal(folder / "journal")
    settings = Settings(bundle=folder / "bundle", journal=folder / "journal")
    lifecycle = Lifecycle(settings, journal)
    index = lifecycle.current
    given = _Given(unit(table[size:]), identifiers[size:])
    vars(index.bundle).update(guide=given, namer=given)  # in place of those that would be loaded
    writer = Writer(lifecycle, journal, settings.max_image_pixels)
    files = [VECTORS, *cell_files("text")]
    queries = queries_near(table[:size], rounds, rng)
    told: dict[str, Any] = {
        "ours_bytes_an_item": sum((folder / "bundle" / f).stat().st_size for f in files) / size,
        "ours_search_ms_before": _search_ms(lifecycle, queries, rounds),
    }
    new = [NewItem(id=f"new {at}", kind="text", captions=[str(at)]) for at in range(2 * changes)]
    began = time.perf_counter()
    for item in new[:changes]:
        await writer.add([item])
    told["ours_added_singly_a_second"] = changes / (time.perf_counter() - began)
    began = time.perf_counter()
    for start in range(changes, 2 * changes, _AT_ONCE):
        await writer.add(new[start : start + _AT_ONCE])
    told["ours_added_by_hundred_a_second"] = changes / (time.perf_counter() - began)
    began = time.perf_counter()
    for number in rng.choice(size, changes, replace=False):
        await writer.delete(_id(int(number)))
    told["ours_deleted_a_second"] = changes / (time.perf_counter() - began)
    told["ours_journal_bytes_a_change"] = _journal_bytes(folder / "journal") / (3 * changes)
    told["ours_search_ms_after"] = _search_ms(lifecycle, queries, rounds)
    index.close()
    return told


def _theirs(
    table: Any, new: Vectors, gone: Any, rounds: int, rng: np.random.Generator
) -> dict[str, Any]:
    """faiss's HNSW: what is added, and what is marked as deleted."""
    began = time.perf_counter()
    graph = hnsw_of(table)
    told: dict[str, Any] = {
        "hnsw_build_s": time.perf_counter() - began,
        "hnsw_bytes_an_item": len(faiss.serialize_index(graph)) / len(table),
        "hnsw_removes": _removes(graph),
    }
    half = len(new) // 2
    told["hnsw_added_singly_a_second"] = _rate(lambda one: graph.add(one[None]), new[:half])
    began = time.perf_counter()
    for start in range(half, len(new), _AT_ONCE):
        graph.add(new[start : start + _AT_ONCE])
    told["hnsw_added_by_hundred_a_second"] = (len(new) - half) / (time.perf_counter() - began)
    marks = np.zeros((graph.ntotal + 7) // 8, dtype=np.uint8)

    def mark(one: Any) -> None:
        marks[one >> 3] |= 1 << (one & 7)

    told["hnsw_marked_a_second"] = _rate(mark, gone)
    kept = _FAISS.IDSelectorNot(_FAISS.IDSelectorBitmap(marks))
    passing = _FAISS.SearchParametersHNSW(sel=kept, efSearch=graph.hnsw.efSearch)
    queries = queries_near(table, rounds, rng)
    turn, again = iter(queries.repeat(2, axis=0)), iter(queries.repeat(2, axis=0))
    seconds = interleaved(
        {
            "whole": lambda: graph.search(next(turn)[None], GUIDED),
            "marked": lambda: graph.search(next(again)[None], GUIDED, params=passing),
        },
        rounds,
    )
    return told | {f"hnsw_search_ms_{name}": 1000 * one for name, one in medians(seconds).items()}


def _removes(graph: Any) -> bool:
    """Whether faiss removes from a graph, by itself or with ids around it."""
    empty = _FAISS.IndexHNSWFlat(DIMENSION, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    with_ids = _FAISS.IndexIDMap2(empty)
    with_ids.add_with_ids(np.ones((4, DIMENSION), dtype=np.float32), np.arange(4))
    for index in (graph, with_ids):
        try:
            index.remove_ids(np.array([0]))
        except RuntimeError:
            continue
        return True
    return False


def _rate(change: Callable[[Any], object], changes: Any) -> float:
    """Changes a second, one after the other."""
    began = time.perf_counter()
    for one in changes:
        change(one)
    return len(changes) / (time.perf_counter() - began)


def _journal_bytes(folder: Path) -> int:
    """Once what came last is no longer in a log beside it."""
    file = folder / "journal.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size


def _search_ms(lifecycle: Lifecycle, queries: Vectors, rounds: int) -> float:
    """The median of a search by the guide alone, without the encoding of the query."""
    snapshot: Snapshot = lifecycle.current.snapshot
    side = snapshot.side("text")
    assert side is not None
    seen = side.visible
    assert seen is not None
    turn = iter(queries.repeat(2, axis=0))
    seconds = interleaved({"search": lambda: nearest(snapshot, seen, next(turn), GUIDED)}, rounds)
    return 1000 * medians(seconds)["search"]


def _write_bundle(path: Path, table: Any, identifiers: Sequence[str]) -> None:
    """A bundle of texts, without a model."""
    size = len(table)
    manifest = Manifest(
        corpus=CorpusRecord(name="invented", fingerprint="", image_root="", held_out_rule=""),
        settings=SettingsRecord(
            clusters=CLUSTERS, keywords=4, cluster_words=5, encoder="", seed=0, gallery=("test",)
        ),
        counts={"items": size, "texts": size, "images": 0},
        guide=GuideRecord(encoder="", fingerprint=_GUIDE, picture_weight=0.0),
    )
    items = (
        Item(_id(number), "text", "test", _id(number), False, "a text", "", identifier)
        for number, identifier in enumerate(identifiers)
    )
    with staged(path, manifest) as stage:
        write_items(stage / ITEMS, items, ("test",))
        np.save(stage / VECTORS, table, allow_pickle=False)
        build_cells(zip(identifiers, range(size), strict=True), table).save(stage, "text")
        centroids = np.zeros((CLUSTERS, DIMENSION), dtype=np.float32)
        Clusters(centroids, [[]] * CLUSTERS, {}).save(stage)
        (stage / "tokens.json").write_text(json.dumps({}))


def _id(number: int) -> str:
    """In the order of the numbers."""
    return f"{number:09}"


if __name__ == "__main__":
    main()
