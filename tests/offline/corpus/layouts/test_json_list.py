"""A JSON list is read entry by entry."""

from pathlib import Path

import pytest
from reading import faults, rows

from offline.corpus.layouts.json_list import JsonList
from offline.corpus.layouts.layout import LayoutError
from offline.corpus.row import Row


def test_reads_entries(tmp_path: Path) -> None:
    (tmp_path / "val.json").write_text('[{"image": "a", "caption": ["one"]}, 7, {"image": "b"}]')
    found = rows(JsonList(), tmp_path)
    assert found[0] == Row(1, "a", ["one"], "val")
    assert found[2] == Row(3, "b", [], "val")
    assert faults(found) == [(2, "the entry is no JSON object")]


def test_a_list_without_pictures_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"question": "?"}]')
    with pytest.raises(LayoutError, match="has no field that pictures are named in"):
        rows(JsonList(), tmp_path)
