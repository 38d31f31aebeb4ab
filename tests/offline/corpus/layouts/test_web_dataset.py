"""Neighbours of one name in a tar are one picture; a tar that is cut keeps what it has."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from reading import faults, rows

from offline.corpus.layouts.layout import LayoutError
from offline.corpus.layouts.web_dataset import WebDataset
from offline.corpus.row import Row
from semcore.pictures.picture_source import StoredPicture, picture_source


def write(file: Path, members: Sequence[tuple[str, bytes]]) -> None:
    with tarfile.open(file, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_members_of_one_name_are_one_picture(tmp_path: Path) -> None:
    write(
        tmp_path / "train-0.tar",
        [
            ("1.jpg", b"first"), ("1.txt", b"one\ntwo\n"), ("1.json", b'{"split": "test"}'),
            ("2.cls", b"7"), ("3.seg.png", b"third"), ("deep/3.png", b"fourth"),
            ("4.txt", b"alone"), ("._5.jpg", b""),
        ],
    )  # fmt: skip
    found = rows(WebDataset(), tmp_path)
    told = [(r.line, r.name, r.captions, r.split) for r in found if isinstance(r, Row)]
    assert told == [
        (1, "train-0.tar/1.jpg", ["one", "two"], "test"),
        (2, "train-0.tar/3.seg.png", [], "train"),
        (3, "train-0.tar/deep/3.png", [], "train"),
    ]
    sources = [picture_source(tmp_path, row.image) for row in found if isinstance(row, Row)]
    contents = [one.read() for one in sources if isinstance(one, StoredPicture)]
    assert contents == [b"first", b"third", b"fourth"]


def test_a_text_that_is_no_json_is_told(tmp_path: Path) -> None:
    write(tmp_path / "0.tar", [("1.jpg", b""), ("1.json", b"{half"), ("2.jpg", b"")])
    found = rows(WebDataset(), tmp_path)
    assert len(found) == 3
    assert "1.json is no JSON object" in faults(found)[0][1]


def test_what_stands_before_a_cut_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "0.tar", [(f"{n}.jpg", b"x" * 600) for n in range(5)])
    content = (tmp_path / "0.tar").read_bytes()
    (tmp_path / "0.tar").write_bytes(content[: 3 * 1536 + 700])
    found = rows(WebDataset(), tmp_path)
    assert [row.line for row in found if isinstance(row, Row)][:3] == [1, 2, 3]
    assert "the tar is damaged" in faults(found)[0][1]


def test_other_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(LayoutError, match="is no tar"):
        rows(WebDataset(), tmp_path)
