"""Every layout is read; every kind of bad row is named with its line and left out."""

import json
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from offline.corpus.reader import Picture, read_corpus
from semcore.errors import CorpusError


def save(folder: Path, *names: str) -> None:
    for name in names:
        Image.new("RGB", (20, 20)).save(folder / name)


def write_rows(folder: Path, *rows: object) -> None:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "captions.jsonl").write_text("\n".join(lines) + "\n")


def test_reads_json_lines(tmp_path: Path) -> None:
    save(tmp_path, "a.png", "b.png")
    write_rows(
        tmp_path,
        {"image": "a.png", "captions": ["one", " two  words "], "split": "test", "id": "x"},
        {"image": "b.png", "caption": "three"},
    )
    corpus = read_corpus(tmp_path)
    assert corpus.pictures == [
        Picture("x", "a.png", "test", ("one", "two words")),
        Picture("b.png", "b.png", "train", ("three",)),
    ]
    assert not corpus.bad_rows


def test_names_each_bad_row(tmp_path: Path) -> None:
    save(tmp_path, "good.png", "short.jpg")
    content = (tmp_path / "short.jpg").read_bytes()
    (tmp_path / "short.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.png").write_text("no picture")
    good = {"image": "good.png", "captions": ["fine"], "id": "good"}
    write_rows(
        tmp_path,
        good,
        {**good, "image": "none.png", "id": "1"},
        {**good, "image": "short.jpg", "id": "2"},
        {**good, "image": "text.png", "id": "3"},
        {**good, "captions": ["fine", "  "], "id": "4"},
        good,
        {**good, "split": "dev", "id": "5"},
        {**good, "image": "../good.png", "id": "6"},
        "{half",
        {**good, "captions": "no list", "id": "7"},
    )
    corpus = read_corpus(tmp_path)
    assert [picture.id for picture in corpus.pictures] == ["good"]
    found = {row.line: row.reason for row in corpus.bad_rows}
    expected = {
        2: "missing", 3: "cannot be read", 4: "cannot be read", 5: "empty", 6: "twice",
        7: "split", 8: "outside", 9: "JSON", 10: "captions",
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for line, word in expected.items():
        assert word in found[line]
    with pytest.raises(CorpusError, match="9 bad rows, the first at 2"):
        read_corpus(tmp_path, strict=True)


def test_reads_karpathys_layout(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    save(tmp_path / "images", "1.jpg", "2.jpg")
    images = [
        {"filename": "1.jpg", "filepath": "images", "split": "restval",
         "sentences": [{"raw": "A boat."}, {"raw": "A ship."}]},
        {"filename": "2.jpg", "filepath": "images", "split": "test", "sentences": []},
        {"filename": "3.jpg", "split": "test"},
    ]  # fmt: skip
    (tmp_path / "dataset_flickr30k.json").write_text(json.dumps({"images": images}))
    corpus = read_corpus(tmp_path)
    assert corpus.pictures[0] == Picture("1", "images/1.jpg", "train", ("A boat.", "A ship."))
    assert corpus.pictures[1].split == "test"
    assert [row.line for row in corpus.bad_rows] == [3]


def test_reads_a_bare_folder(tmp_path: Path) -> None:
    save(tmp_path, "b.png", "a.jpg")
    assert [p.image for p in read_corpus(tmp_path).pictures] == ["a.jpg", "b.png"]


def test_says_what_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        read_corpus(tmp_path / "none")
    with pytest.raises(CorpusError, match="no usable picture"):
        read_corpus(tmp_path)
    (tmp_path / "dataset_coco.json").write_text("[]")
    with pytest.raises(CorpusError, match="Karpathy"):
        read_corpus(tmp_path)


@pytest.mark.parametrize(("captions", "sources"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_holds_captions_out(captions: int, sources: int) -> None:
    picture = Picture("a", "a.png", "test", tuple(str(n) for n in range(captions)))
    assert picture.sources == tuple(str(n) for n in range(sources))
    assert Picture("a", "a.png", "test", ("b",), generated="c").sources == ("c",)


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    save(tmp_path, "a.png")
    row = json.dumps({"image": "a.png", "captions": ["one"]})
    (tmp_path / "captions.jsonl").write_text(row, encoding="utf-8-sig")
    assert len(read_corpus(tmp_path, strict=True).pictures) == 1


def test_names_that_no_file_can_have_are_bad_rows(tmp_path: Path) -> None:
    save(tmp_path, "a.png")
    (tmp_path / "ring.png").symlink_to(tmp_path / "ring.png")
    names = ["a.png", "b" * 300, "c\0.png", "ring.png"]
    write_rows(tmp_path, *({"image": name, "captions": ["one"]} for name in names))
    corpus = read_corpus(tmp_path)
    assert [picture.image for picture in corpus.pictures] == ["a.png"]
    assert [row.line for row in corpus.bad_rows] == [2, 3, 4]


def test_no_picture_has_the_id_of_a_caption(tmp_path: Path) -> None:
    save(tmp_path, "a.png")
    ids = ["x#0", "x", "x#7", "y#0"]
    rows = [{"image": "a.png", "captions": ["one"], "id": name} for name in ids]
    write_rows(tmp_path, *rows, {"image": "b.png", "captions": ["one"]})
    corpus = read_corpus(tmp_path)
    assert [picture.id for picture in corpus.pictures] == ["x", "x#7", "y#0"]
    assert [row.line for row in corpus.bad_rows] == [1, 5]
    assert "of a caption" in corpus.bad_rows[0].reason


def test_long_captions_are_cut_and_named(tmp_path: Path) -> None:
    save(tmp_path, "a.png", "b.png", "c.png")
    write_rows(
        tmp_path,
        {"image": "a.png", "captions": ["a boat", "word " * 5000]},
        {"image": "b.png", "caption": "word " * 300},
        {"image": "c.png", "caption": "word " * 256},
    )
    corpus = read_corpus(tmp_path, strict=True)
    assert [len(picture.captions[-1]) for picture in corpus.pictures] == [9_999, 1_499, 1_279]
    assert [row.line for row in corpus.long_rows] == [1, 2]
    assert "cut after 10000" in corpus.long_rows[0].reason
    assert "first 256 words" in corpus.long_rows[1].reason


def test_one_list_of_formats_says_what_is_a_picture(tmp_path: Path) -> None:
    names = ["a.PNG", "b.mpo", "c.tiff", "d.avif", "e.jp2", "f.webp"]
    for name in names:
        form = {".mpo": "MPO", ".jp2": "JPEG2000"}.get(Path(name).suffix)
        Image.new("RGB", (20, 20)).save(tmp_path / name, form)
    pillow_heif.from_pillow(Image.new("RGB", (20, 20))).save(tmp_path / "g.HEIC")
    (tmp_path / "h.png").write_bytes((tmp_path / "c.tiff").read_bytes())  # whatever its name
    Image.new("RGB", (20, 20)).save(tmp_path / "i.png", "PPM")
    corpus = read_corpus(tmp_path)
    assert [picture.image for picture in corpus.pictures] == [*names, "g.HEIC", "h.png"]
    assert ["i.png" in row.reason for row in corpus.bad_rows] == [True]
    rows = [{"image": name, "captions": ["one"]} for name in (*names, "g.HEIC", "i.png")]
    write_rows(tmp_path, *rows)
    assert [picture.image for picture in read_corpus(tmp_path).pictures] == [*names, "g.HEIC"]


def test_what_a_bare_folder_holds_besides_is_listed(tmp_path: Path) -> None:
    save(tmp_path, "a.png")
    (tmp_path / "more").mkdir()
    for name in ("._a.png", "more/b.psd", "more/c.PSD", "notes.txt", "README"):
        (tmp_path / name).write_bytes(b"\0\5\26\7")
    corpus = read_corpus(tmp_path, strict=True)
    assert [picture.image for picture in corpus.pictures] == ["a.png"]
    assert set(corpus.passed_over) == {
        "1 with names that begin with ._, such as ._a.png",
        "2 with the suffix .psd, such as more/b.psd",
        "1 with the suffix .txt, such as notes.txt",
        "1 with no suffix, such as README",
    }
    write_rows(tmp_path, {"image": "a.png", "captions": ["one"]})
    assert read_corpus(tmp_path).passed_over == ()


def test_a_picture_that_has_no_white_is_a_bad_row(tmp_path: Path) -> None:
    save(tmp_path, "a.png")
    Image.new("F", (20, 20), 0.5).save(tmp_path / "b.tiff")
    (row,) = read_corpus(tmp_path).bad_rows
    assert "32 bits" in row.reason
