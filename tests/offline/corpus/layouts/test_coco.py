"""COCO's images and captions are rows; captions of no image are told."""

import json
from pathlib import Path

import pytest
from reading import faults, rows

from offline.corpus.layouts.coco import Coco
from offline.corpus.layouts.layout import LayoutError
from offline.corpus.row import Row


def test_reads_images_and_captions(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2}, {"id": 3, "file_name": "3.jpg"}],
        "annotations": [
            {"image_id": 3, "caption": "A boat."}, {"image_id": 9, "caption": "A ship."},
            {"image_id": 1}, "text",
        ],
    }  # fmt: skip
    (tmp_path / "captions_val2017.json").write_text(json.dumps(content))
    found = rows(Coco(), tmp_path)
    assert [row for row in found if isinstance(row, Row)] == [
        Row(1, "1.jpg", None, "val"),
        Row(3, "3.jpg", None, "val"),
        Row(1, "3.jpg", "A boat.", "val"),
    ]
    assert [line for line, _ in faults(found)] == [2, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"images": [{"id": 1, "file_name": "a"}]}, "has no entry in 'annotations'"),
        ({"images": [{"id": 1}], "annotations": [{"caption": ""}]}, "without file_name"),
        ({"images": [{"file_name": "a"}], "annotations": [{"bbox": []}]}, "without caption"),
    ],
)
def test_other_annotations_are_none(content: object, told: str, tmp_path: Path) -> None:
    (tmp_path / "instances_val2017.json").write_text(json.dumps(content))
    with pytest.raises(LayoutError, match=told):
        rows(Coco(), tmp_path)
