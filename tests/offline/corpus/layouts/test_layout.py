"""What the names of files say, and how a layout finds its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from offline.corpus.folder import Folder
from offline.corpus.layouts.layout import (
    Layout,
    LayoutError,
    caption_files,
    is_picture,
    split_of_folder,
    split_of_name,
)
from offline.corpus.row import BadRow, Columns, Row


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("captions_val2017.json", "val"),
        ("train-00000-of-00001.parquet", "train"),
        ("test/metadata.csv", "test"),
        ("dev.tsv", "val"),
        ("latest.csv", ""),
        ("contest_values.csv", ""),
        ("captions.jsonl", ""),
        ("training/all.csv", "train"),
    ],
)
def test_a_file_says_its_split(path: str, split: str) -> None:
    assert split_of_name(path) == split


@pytest.mark.parametrize(
    ("folder", "split"), [("a/Test/b", "test"), ("my test shots", ""), ("", ""), ("valid", "val")]
)
def test_a_folder_says_its_split_by_its_whole_name(folder: str, split: str) -> None:
    assert split_of_folder(folder) == split


@pytest.mark.parametrize(
    ("file", "is_one"),
    [("a/b.JPG", True), ("a.heic", True), ("a/._b.jpg", False), ("a.psd", False), ("jpg", False)],
)
def test_pictures_by_name(file: str, is_one: bool) -> None:
    assert is_picture(file) == is_one


def test_what_stands_beside_a_picture_is_no_file_of_captions(tmp_path: Path) -> None:
    for name in ("1.jpg", "1.json", "2.json", "3.txt"):
        (tmp_path / name).write_text("")
    assert caption_files(Folder(tmp_path), (".json", ".txt")) == ["2.json", "3.txt"]


class Short(Layout):
    """Files with less than three letters"""

    name = "short"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        return self._found(folder, columns, folder.files())

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        if len(file) > 2:
            raise LayoutError("is long")

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        yield Row(1, file)


def test_a_layout_finds_its_files_or_tells_why_none(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="there is no such file"):
        Short().find(Folder(tmp_path), Columns())
    for name in ("aaa", "bbb", "ccc", "ddd", "eee"):
        (tmp_path / name).write_text("")
    with pytest.raises(LayoutError, match=r"^aaa is long; bbb is long; ccc is long; and 2 more$"):
        Short().find(Folder(tmp_path), Columns())
    (tmp_path / "f").write_text("")
    assert Short().find(Folder(tmp_path), Columns()) == ["f"]
