"""JSON lines are read a line at a time; a line that is none is told."""

from pathlib import Path

import pytest
from reading import faults, rows

from offline.corpus.layouts.json_lines import JsonLines, is_json_lines, is_metadata
from offline.corpus.layouts.layout import LayoutError
from offline.corpus.row import Columns, Row


def test_reads_lines_and_tells_those_that_are_none(tmp_path: Path) -> None:
    lines = [
        '\ufeff{"image": "a", "captions": ["one"], "id": "x"}', "", '{"half', "[1]",
        '{"image": "b", "metadata": {"score": NaN}, "split": "test"}', "[" * 100_000, '"text"',
    ]  # fmt: skip
    (tmp_path / "captions.jsonl").write_text("\r\n".join(lines), encoding="utf-8")
    found = rows(JsonLines(), tmp_path)
    assert found[0] == Row(1, "a", ["one"], None, "x")
    assert isinstance(found[3], Row)
    assert (found[3].line, found[3].split) == (5, "test")
    told = faults(found)
    assert [line for line, _ in told] == [3, 4, 6, 7]
    assert told[0][1].startswith("the line is no JSON: ")
    assert told[1][1] == "the line is no JSON object"


def test_other_files_are_found_by_what_stands_in_them(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"time": 1}\n')
    with pytest.raises(LayoutError, match=r"log\.jsonl has no field that pictures are named in"):
        rows(JsonLines(), tmp_path)
    (tmp_path / "val.jsonl").write_text('{half\n{"where": "a"}\n')
    assert rows(JsonLines(), tmp_path, Columns("where"))[1] == Row(2, "a", [], "val")
    (tmp_path / "metadata.jsonl").write_text('{"where": "a"}\n')  # Hugging Face's
    assert len(rows(JsonLines(), tmp_path, Columns("where"))) == 2


def test_names() -> None:
    assert is_json_lines("a.JSONL.gz")
    assert not is_json_lines("a.json")
    assert is_metadata("train/metadata.csv")
    assert not is_metadata("my_metadata.csv")
