"""Karpathy's images become rows; those that lack something are told."""

import json
from pathlib import Path

import pytest
from reading import faults, rows

from offline.corpus.layouts.karpathy import Karpathy
from offline.corpus.layouts.layout import LayoutError
from offline.corpus.row import Row


def test_reads_images(tmp_path: Path) -> None:
    images = [
        {"filename": "1.jpg", "filepath": "val2014", "split": "restval",
         "sentences": [{"raw": "A boat."}, {"raw": "A ship."}]},
        {"filename": "2.jpg", "split": "test", "sentences": []},
        {"filename": "3.jpg", "split": "test"},
        {"filename": "4.jpg", "split": "test", "sentences": [{}]},
        "text",
    ]  # fmt: skip
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images}))
    found = rows(Karpathy(), tmp_path)
    assert found[:2] == [
        Row(1, "val2014/1.jpg", ["A boat.", "A ship."], "restval"),
        Row(2, "2.jpg", [], "test"),
    ]
    assert [line for line, _ in faults(found)] == [3, 4, 5]
    assert "it needs filename, split, sentences[].raw" in faults(found)[0][1]


def test_coco_is_another_layout(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"images": [{"id": 1, "file_name": "a.jpg"}]}')
    with pytest.raises(LayoutError, match=r"a\.json has images without filename and sentences"):
        rows(Karpathy(), tmp_path)
