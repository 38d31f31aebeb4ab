"""Hugging Face's metadata lies beside the pictures, once or in a folder a split."""

from pathlib import Path

from reading import rows

from offline.corpus.layouts.image_folder import ImageFolder
from offline.corpus.row import Row


def test_reads_a_file_a_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "metadata.csv").write_text("file_name,text\na.png,one\n")
    assert rows(ImageFolder(), tmp_path) == [
        Row(2, "test/a.png", "one", "test"),
        Row(2, "train/a.png", "one", "train"),
    ]


def test_reads_one_file_for_all(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "train/a.png", "text": "one"}\n[]\n')
    first, second = rows(ImageFolder(), tmp_path)
    assert first == Row(1, "train/a.png", "one")
    assert not isinstance(second, Row)
