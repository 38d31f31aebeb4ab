"""A snapshot knows the fields and items that there are now, and says what it cannot count."""

from pathlib import Path

import pytest
from stored import StoredBundle, added_item, item

from semcore.bundle.filter import Filter
from service.errors import InvalidQueryError
from service.index import snapshot_postings

LATE = Filter.model_validate({"field": "year", "gte": 1992})


@pytest.fixture
def bundle(tmp_path: Path) -> StoredBundle:
    items = [item(n, {"year": 1990 + n}, "text" if n % 2 else "image") for n in range(6)]
    return StoredBundle(tmp_path / "items", [*items, item(6, {"year": 1999}, split="train")])


def test_what_passes_is_what_can_be_found(bundle: StoredBundle) -> None:
    added = {7: added_item(7, {"year": 1993, "new": 1}), 8: added_item(8, {}, "text")}
    plain = bundle.snapshot().postings
    assert list(plain.passing("image", None)) == [0, 2, 4]
    assert list(plain.passing(None, LATE)) == [2, 3, 4, 5]
    living = bundle.snapshot([2, 3], added).postings
    assert list(living.passing(None, None)) == [0, 1, 4, 5, 7, 8]
    assert list(living.passing("image", LATE)) == [4, 7]
    assert list(living.passing("text", LATE)) == [5]
    assert living.fields == {"year", "new"}
    assert list(plain.passing("image", None)) == [0, 2, 4]  # nothing was changed in place


def test_knows_what_it_has_worked_out(bundle: StoredBundle) -> None:
    postings = bundle.snapshot().postings
    assert not postings.knows("image", LATE, ["year"])
    postings.passing("image", LATE)
    assert not postings.knows("image", LATE, ["year"])
    postings.of("year")
    assert postings.knows("image", LATE, ["year"])
    assert not postings.knows("text", LATE, ["year"])
    assert not postings.knows("image", None, ["year"])


def test_names_the_fields_that_there_are(
    bundle: StoredBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    postings = bundle.snapshot((), {7: added_item(7, {"new": 1})}).postings
    postings.check(["year", "new"])
    with pytest.raises(InvalidQueryError, match=r"field 'yaer'; there are new, year$"):
        postings.check(["year", "yaer"])
    monkeypatch.setattr(snapshot_postings, "_NAMED", 1)
    with pytest.raises(InvalidQueryError, match=r"there are new and 1 more$"):
        postings.check(["yaer"])


def test_says_where_there_are_no_fields(tmp_path: Path) -> None:
    postings = StoredBundle(tmp_path / "bare", [item(0, {})]).snapshot().postings
    with pytest.raises(InvalidQueryError, match=r"no item has metadata$"):
        postings.check(["year"])


def test_too_many_values_are_not_counted(
    bundle: StoredBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_postings, "MOST_VALUES", 7)
    assert len(bundle.snapshot().postings.of("year")) == 2
    more = {7: added_item(7, {"year": [1990, 2000]})}
    with pytest.raises(InvalidQueryError, match="more than 7 different values"):
        bundle.snapshot((), more).postings.of("year")
