"""The postings of a bundle are read once a field, and kept within their budget."""

from pathlib import Path

import pytest
from pyroaring import BitMap
from stored import StoredBundle, item

from service.index import stored_postings
from service.index.stored_postings import Postings


def test_each_value_has_its_items(tmp_path: Path) -> None:
    told = [{"year": 1990, "tags": ["a", "b"]}, {"year": 1990.0}, {"tags": "a"}, {"seen": True}]
    bundle = StoredBundle(tmp_path / "items", [item(n, one) for n, one in enumerate(told)])
    assert bundle.postings.fields == {"year", "tags", "seen"}
    years, tags, seen = (bundle.postings.of(field) for field in ("year", "tags", "seen"))
    assert years == Postings.of({1990: BitMap([0, 1])})
    assert tags is not None
    assert {value: list(found) for value, found in tags.items.items()} == {"a": [0, 2], "b": [0]}
    assert list(tags.having) == [0, 2]
    assert seen is not None
    assert list(seen.items) == [1]
    empty = bundle.postings.of("none")
    assert empty is not None
    assert (dict(empty.items), len(empty.having)) == ({}, 0)


def test_a_field_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = StoredBundle(tmp_path / "items", [item(n, {"a": n, "b": n}) for n in range(5)])
    read: list[str] = []
    own = bundle.store.postings

    def reading(field: str, most: int) -> object:
        read.append(field)
        return own(field, most)

    monkeypatch.setattr(bundle.store, "postings", reading)
    assert not bundle.postings.knows("a")
    assert bundle.postings.of("a") is bundle.postings.of("a")
    assert bundle.postings.knows("a")
    assert read == ["a"]
    monkeypatch.setattr(stored_postings, "MOST_VALUES", 4)
    assert bundle.postings.of("b") is bundle.postings.of("b") is None
    assert read == ["a", "b"]  # that there are too many is known, too


def test_keeps_as_much_as_it_may(tmp_path: Path) -> None:
    names = [f"field {n}" for n in range(20)]
    told = [item(n, dict.fromkeys(names, n)) for n in range(10)]
    bundle = StoredBundle(tmp_path / "items", told, filter_bytes=12_000)
    for name in names:
        assert bundle.postings.of(name) is not None
    assert bundle.postings.knows(names[-1])
    assert not bundle.postings.knows(names[0])
    assert 2_000 < bundle.postings._kept.size <= 6_000
