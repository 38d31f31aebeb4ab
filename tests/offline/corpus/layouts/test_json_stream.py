"""Entries come one after the other; where the file is damaged, those before are kept."""

import json
from pathlib import Path

import pytest

from offline.corpus.folder import Folder
from offline.corpus.layouts.json_stream import check_list, entries
from offline.corpus.layouts.layout import LayoutError
from offline.corpus.row import BadRow


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_reads_entries_of_a_field(encoding: str, tmp_path: Path) -> None:
    content = {"info": {}, "images": [{"name": "ä" * 70_000}, {"size": 1.5}]}
    (tmp_path / "a.json").write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    found = list(entries(Folder(tmp_path), "a.json", "images.item"))
    assert found == [(1, {"name": "ä" * 70_000}), (2, {"size": 1.5})]


def test_what_stands_before_the_damage_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": 1}, {"a": 2}, {"a": ')
    first, second, bad = entries(Folder(tmp_path), "a.json", "item")
    assert (first, second) == ((1, {"a": 1}), (2, {"a": 2}))
    assert isinstance(bad, BadRow)
    assert bad.line == 3
    assert bad.reason.startswith("from here on the file is no JSON: ")


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        ("{}", "item", "is no list"),
        ("[]", "images.item", "is no JSON object"),
        ("{}", "images.item", "has no entry in 'images'"),
        ('{"images": [', "images.item", "is no JSON: "),
        ("", "item", "is no list"),
    ],
)
def test_what_is_no_such_list_is_told(text: str, path: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(LayoutError, match=told):
        check_list(Folder(tmp_path), "a.json", path)


def test_the_first_entry_tells_what_the_list_is_of(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(' \n[{"a": 1}, {"b": 2}]')
    assert check_list(Folder(tmp_path), "a.json", "item") == {"a": 1}
