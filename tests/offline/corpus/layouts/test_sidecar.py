"""A text file beside a picture has its captions, a line each."""

from pathlib import Path

import pytest
from reading import rows

from offline.corpus.layouts.layout import LayoutError
from offline.corpus.layouts.sidecar import Sidecar
from offline.corpus.row import Row


def test_reads_the_text_beside_a_picture(tmp_path: Path) -> None:
    for name, text in {"b/1.jpg": "", "b/1.txt": "one\r\n\n two ", "b/2.png": "", "test/3.JPG": "",
                       "test/3.TXT": "three", "notes.txt": "-"}.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert rows(Sidecar(), tmp_path) == [
        Row(1, "b/1.jpg", ["one", "two"]),
        Row(2, "b/2.png", None),
        Row(3, "test/3.JPG", ["three"], "test"),
    ]


def test_pictures_without_any_text_are_another_layout(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_text("")
    (tmp_path / "2.txt").write_text("")
    with pytest.raises(LayoutError, match="no picture has a text file"):
        rows(Sidecar(), tmp_path)
