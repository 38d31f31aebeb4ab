"""Fields stand under usual names, or under those that are given."""

from typing import Any

import pytest

from offline.corpus.row import Columns, Row, caption_fields, image_field, row_of


@pytest.mark.parametrize(
    ("record", "row"),
    [
        ({"image": "a", "caption": "one"}, Row(1, "a", "one")),
        ({"file_name": "a", "text": "one"}, Row(1, "a", "one")),
        ({"Image_Name": "a", " comment": "one"}, Row(1, "a", "one")),
        ({"image": "a", "captions": ["one"], "caption": "two"}, Row(1, "a", ["one", "two"])),
        ({"image": "a", "caption_1": "one", "caption_2": None}, Row(1, "a", ["one", None])),
        ({"image": "a", "title": "one", "text": "two"}, Row(1, "a", "two")),
        ({"image": "a", "split": "x", "metadata": {}}, Row(1, "a", None, "x", None, {})),
        ({"image": "a", "id": 7}, Row(1, "a")),
        ({"other": "a"}, Row(1, None, None)),
    ],
)
def test_usual_names(record: dict[str, Any], row: Row) -> None:
    found = row_of(1, record, Columns())
    assert found == row or (found.captions == [] and row.captions is None)


def test_names_that_are_given_come_first() -> None:
    record: dict[str, Any] = {"image": "a", "where": "b", "caption": "one", "DE": "zwei", "x": 1}
    columns = Columns("where", ("DE", "none"), "part", ("x",))
    assert row_of(3, record, columns, "val") == Row(3, "b", "zwei", "val", None, {"x": 1})
    assert image_field(["image"], columns) == ""
    assert caption_fields(["caption", "DE"], columns) == ["DE"]


def test_an_id_counts_where_it_is_that_of_the_picture() -> None:
    assert row_of(1, {"image": "a", "id": 7}, Columns(), has_id=True).id == 7
