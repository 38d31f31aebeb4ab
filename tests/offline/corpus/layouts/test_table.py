"""Tables with and without names of columns, with any separator."""

from pathlib import Path

import pytest
from reading import faults, rows

from offline.corpus.layouts.layout import LayoutError
from offline.corpus.layouts.table import Table
from offline.corpus.row import Columns, Row


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.txt", "image,caption\na.jpg,A boat.\n"),
        ("results.csv", "image_name| comment_number| comment\na.jpg| 0| A boat.\n"),
        ("results_20130124.token", "a.jpg#0\tA boat.\n"),
        ("all.tsv", "caption\turl\tfile_name\nA boat.\thttp://x\ta.jpg\n"),
        ("all.csv", 'a.jpg;1;"A boat."\n'),
        ("wide.csv", "image,caption_1,split\na.jpg,A boat.,\n"),
        ("marked.csv", '\ufeff"image","text"\n"a.jpg","A boat."\n'),
    ],
)
def test_reads_a_picture_and_its_caption(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (row,) = rows(Table(), tmp_path)
    assert isinstance(row, Row)
    assert (row.name, row.captions) == ("a.jpg", "A boat.")


def test_tells_lines_of_another_length(tmp_path: Path) -> None:
    text = 'image,caption\na.jpg,one, two\n\nb.jpg,"one, two"\nc.jpg,\n'
    (tmp_path / "captions.csv").write_text(text)
    found = rows(Table(), tmp_path)
    assert faults(found) == [(2, "the line has 3 cells in place of 2")]
    assert found[1:] == [Row(4, "b.jpg", "one, two"), Row(5, "c.jpg", None)]


def test_columns_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\na.jpg,one\n")
    assert rows(Table(), tmp_path, Columns("x", ("y",))) == [Row(2, "a.jpg", "one")]


@pytest.mark.parametrize("text", ["", "only words", "time,value\n1,2\n", '"open'])
def test_other_texts_are_no_table(text: str, tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text(text)
    with pytest.raises(LayoutError, match=r"README\.txt has no columns"):
        rows(Table(), tmp_path)
