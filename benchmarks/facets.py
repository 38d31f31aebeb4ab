"""What it takes to count the values of metadata fields, by postings and one by one.

Items are invented: each has one of a hundred categories, common ones more often, one of a hundred
years, and tags, up to three of fifty. The counts of all fields, of all items and of the third that
passes a filter, are timed in turns with a loop over the metadata that lie in memory, and with
SQLite's own GROUP BY over the table that the bundle has. All three must agree. What is told are
milliseconds of the processor, of one thread; of the postings also those of a clock on the wall.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pyroaring import BitMap

from benchmarks.measure import argument_parser, interleaved, medians, record
from semcore.bundle.filter import Filter, Value, values_of
from semcore.bundle.item import ItemStore, write_items
from semcore.kind import Kind
from service.index.snapshot_postings import SnapshotPostings
from service.index.stored_postings import StoredPostings
from service.metadata.facets import facet

_CATEGORIES, _YEARS, _TAGS = 100, 100, 50
_FIELDS = ("category", "year", "tags")
_SHARE = 3  # one in so many passes the filter
_FILTER = Filter.model_validate({"field": "third", "equals": 0})
_LISTED = "SELECT value, count(*) FROM metadata WHERE field = ? GROUP BY value"
_ROWS = "INSERT INTO metadata VALUES (?, ?, ?)"
_BYTES = 100_000_000
_MORE = 5  # times as many rounds of what is short


class _Bundle:
    """As much of a bundle as counts look at; all of its items are pictures."""

    def __init__(self, file: Path, count: int) -> None:
        self.filter_bytes = _BYTES
        self.store = ItemStore(file, ())
        self.postings = StoredPostings(self.store, _BYTES)
        self._all = BitMap(range(count))
        self._third = BitMap(range(0, count, _SHARE))

    def in_gallery(self, kind: Kind) -> BitMap:
        return self._all if kind == "image" else BitMap()

    def passing(self, _wanted: Filter) -> BitMap:
        return self._third


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        measured = {
            str(size): _at(size, Path(folder) / f"{size}.sqlite", arguments.rounds)
            for size in arguments.sizes
        }
    ratios = {
        f"{name}_{size}": told
        for size, one in measured.items()
        for name, told in one.items()
        if name.startswith(("postings_ms", "loop_to", "sqlite_to", "wall_ms", "first_ms", "bytes"))
    }
    record("facets", ratios, measured, arguments.out)


def _at(size: int, file: Path, rounds: int) -> dict[str, float]:
    metadata = _invented(size)
    _write(file, metadata)
    bundle: Any = _Bundle(file, size)
    snapshot = SnapshotPostings(bundle, None, {})
    connection = sqlite3.connect(file)
    told: dict[str, float] = {}
    for field in _FIELDS:
        began = time.thread_time()
        kept = bundle.postings.of(field)
        told[f"first_ms_{field}"] = 1000 * (time.thread_time() - began)
        told[f"bytes_an_item_{field}"] = kept.size / size
    sets = {"all": None, "third": _FILTER}
    tasks: dict[str, Callable[[], object]] = {}
    for field in _FIELDS:
        for name, wanted in sets.items():

            def counted(field: str = field, wanted: Filter | None = wanted) -> dict[Value, int]:
                passing = snapshot.passing("image", wanted)
                found = facet(field, snapshot.of(field), passing, 1000)
                return {one.value: one.count for one in found.values}

            def looped(field: str = field, wanted: Filter | None = wanted) -> dict[Value, int]:
                return _looped(metadata, field, 1 if wanted is None else _SHARE)

            assert counted() == looped(), (field, name)
            tasks |= {f"postings_{field}_{name}": counted, f"loop_{field}_{name}": looped}

        def grouped(field: str = field) -> dict[Value, int]:
            return dict(connection.execute(_LISTED, (field,)))

        assert grouped() == _looped(metadata, field, 1), field
        tasks[f"sqlite_{field}_all"] = grouped
    taken = medians(interleaved(tasks, rounds, time.thread_time))
    own = {name: task for name, task in tasks.items() if name.startswith("postings")}
    for name, seconds in medians(interleaved(own, rounds * _MORE)).items():
        told[name.replace("postings", "wall_ms", 1)] = 1000 * seconds
    connection.close()
    bundle.store.close()
    file.unlink()
    for name, seconds in taken.items():
        rival, _, what = name.partition("_")
        told[f"{rival}_ms_{what}"] = 1000 * seconds
        if rival != "postings":
            told[f"{rival}_to_postings_{what}"] = seconds / taken[f"postings_{what}"]
    return told


def _looped(metadata: list[Mapping[str, Any]], field: str, share: int) -> dict[Value, int]:
    counts: Counter[Value] = Counter()
    for number in range(0, len(metadata), share):
        counts.update(values_of(metadata[number].get(field)))
    return dict(counts)


def _invented(size: int) -> list[Mapping[str, Any]]:
    rng = np.random.default_rng(size)
    often = 1 / np.arange(1, _CATEGORIES + 1)
    categories = rng.choice(_CATEGORIES, size=size, p=often / often.sum()).tolist()
    years = rng.integers(1926, 1926 + _YEARS, size).tolist()
    tags = rng.integers(0, _TAGS, (size, 3)).tolist()
    return [
        {"category": f"category {one}", "year": year, "tags": sorted({f"tag {t}" for t in mine})}
        for one, year, mine in zip(categories, years, tags, strict=True)
    ]


def _write(file: Path, metadata: list[Mapping[str, Any]]) -> None:
    """The table alone, in its order, which a bundle's is not written in but comes to."""
    write_items(file, [])
    connection = sqlite3.connect(file)
    for field in sorted(_FIELDS):
        rows = sorted(
            (value, number)
            for number, one in enumerate(metadata)
            for value in values_of(one[field])
        )
        connection.executemany(_ROWS, ((field, *row) for row in rows))
    connection.commit()
    connection.close()


if __name__ == "__main__":
    main()
