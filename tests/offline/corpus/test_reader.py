"""The same corpus is the same in every layout, and what is in none is told what was tried."""

import json
from pathlib import Path

import pytest
from layouts import LAYOUTS, drawn, json_lines, karpathy, save, table, web_dataset, write_lines

from offline.corpus.reader import read_corpus
from offline.corpus.row import Columns
from semcore.errors import CorpusError

COUNT = 200


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[tuple[str, str]]]:
    """Fingerprint and bad rows of the corpus in our own layout."""
    corpus = read_corpus(json_lines(tmp_path_factory.mktemp("usual"), drawn(COUNT)))
    return corpus.fingerprint, sorted((row.key, row.reason) for row in corpus.bad_rows)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_layouts_give_the_same_corpus(
    layout: str, usual: tuple[str, list[tuple[str, str]]], tmp_path: Path
) -> None:
    pictures = drawn(COUNT)
    corpus = read_corpus(LAYOUTS[layout](tmp_path, pictures))
    expected = {one.name: one.captions for one in pictures if not one.damaged}
    assert {one.id: one.captions for one in corpus.pictures} == expected
    bad = sorted((row.key, row.reason) for row in corpus.bad_rows)
    assert (corpus.fingerprint, bad) == usual
    assert [key for key, _ in bad] == sorted(one.name for one in pictures if one.damaged)


def test_pictures_alone_have_the_same_ids(tmp_path: Path) -> None:
    save(tmp_path, drawn(6))
    (tmp_path / "pictures/notes.psd").write_text("")
    (tmp_path / "pictures/more.psd").write_text("")
    corpus = read_corpus(tmp_path)
    assert [one.id for one in corpus.pictures] == [
        "a/0.png", "a/1.png", "a/2.png", "b/0.png", "b/1.png", "b/2.png"
    ]  # fmt: skip
    assert all(one.captions == () for one in corpus.pictures)
    assert corpus.passed_over == ("2 with the suffix .psd, such as pictures/more.psd",)


def test_what_is_in_no_layout_is_told_what_was_tried(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"images": []}')
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError) as told:
        read_corpus(tmp_path)
    for part in (
        "is in no layout that is read:",
        "JSON lines (captions.jsonl): there is no such file",
        "Karpathy's JSON (dataset*.json): dataset.json has no entry in 'images'",
        "a JSON list (*.json): dataset.json is no list",
        "a table (csv, tsv, token, txt): notes.csv has no columns that pictures and captions",
        "pictures alone: there is no picture (JPEG, PNG",
    ):
        assert part in str(told.value)


@pytest.mark.parametrize("source", ["none", "memory://no/such/folder"])
def test_a_source_that_is_not_there_is_named(source: str, tmp_path: Path) -> None:
    where = source if "://" in source else tmp_path / source
    with pytest.raises(CorpusError, match=source):
        read_corpus(where)


def test_two_files_of_captions_are_no_guess(tmp_path: Path) -> None:
    json_lines(tmp_path, drawn(3))
    karpathy(tmp_path, drawn(4))
    with pytest.raises(CorpusError, match=r"holds captions\.jsonl and dataset_flickr30k\.json"):
        read_corpus(tmp_path)
    assert len(read_corpus(tmp_path / "captions.jsonl").pictures) == 3
    assert len(read_corpus(tmp_path / "dataset_flickr30k.json").pictures) == 4


def test_what_img2dataset_writes_beside_a_tar_is_no_corpus(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    web_dataset(tmp_path, drawn(3))
    parquet.write_table(pa.table({"url": ["x"], "file": ["y"]}), tmp_path / "0000.parquet")
    (tmp_path / "0000_stats.json").write_text("{}")
    assert len(read_corpus(tmp_path).pictures) == 3


def test_bad_rows_are_left_out_and_told_once(tmp_path: Path) -> None:
    save(tmp_path, drawn(2), "")
    rows = [
        {"image": "a/0.png", "captions": ["One."]},
        {"image": "none.png", "caption": "One."},
        {"image": "none.png", "caption": "Two."},
        {"image": "b/0.png", "captions": ["fine", "  "]},
        {"image": "b/0.png", "captions": ["fine"]},
    ]
    write_lines(tmp_path / "captions.jsonl", rows)
    corpus = read_corpus(tmp_path)
    assert [one.id for one in corpus.pictures] == ["a/0.png", "b/0.png"]
    assert [(row.line, row.key, row.reason, row.file) for row in corpus.bad_rows] == [
        (2, "none.png", "the image is missing", "captions.jsonl"),
        (4, "b/0.png", "a caption is empty", "captions.jsonl"),
    ]
    with pytest.raises(
        CorpusError, match=r"2 bad rows, the first at 2 of captions\.jsonl, none\.png: the image is"
    ):
        read_corpus(tmp_path, strict=True)
    write_lines(tmp_path / "captions.jsonl", rows[1:3])
    with pytest.raises(CorpusError, match="no usable picture; the first row: at 1 of captions"):
        read_corpus(tmp_path)


def test_columns_are_named(tmp_path: Path) -> None:
    save(tmp_path, drawn(2), "")
    (tmp_path / "all.tsv").write_text(
        "where\tFR\tDE\tpart\tyear\nb/0.png\tun bateau\tein Boot\ttest\t1990\n"
    )
    with pytest.raises(CorpusError, match="name them with --image-column and --caption-column"):
        read_corpus(tmp_path / "all.tsv")
    columns = Columns("where", ("DE", "FR"), "part", ("year",))
    (picture,) = read_corpus(tmp_path, columns=columns).pictures
    assert (picture.captions, picture.split) == (("ein Boot", "un bateau"), "test")
    assert picture.metadata == {"year": "1990"}


def test_damaged_pictures_may_be_left_for_later(tmp_path: Path) -> None:
    pictures = drawn(50)
    assert len(read_corpus(json_lines(tmp_path, pictures), decode=False).pictures) == 50
    assert len(read_corpus(tmp_path).pictures) == 49


def test_long_captions_are_cut_and_told(tmp_path: Path) -> None:
    save(tmp_path, drawn(3), "")
    captions = ["word " * 3000, "short words " * 150, "a boat"]
    rows = [
        {"image": one.name, "caption": caption}
        for one, caption in zip(drawn(3), captions, strict=True)
    ]
    write_lines(tmp_path / "captions.jsonl", rows)
    corpus = read_corpus(tmp_path)
    assert [len(one.captions[0]) for one in corpus.pictures] == [9999, 6, 1799]
    told = {row.line: row.reason for row in corpus.long_rows}
    assert told.keys() == {1, 2}
    assert "cut after 10000" in told[1]
    assert "first 256 words" in told[2]


def test_a_folder_of_annotations_is_read_beside_its_pictures(tmp_path: Path) -> None:
    LAYOUTS["coco"](tmp_path, drawn(4))
    for source in (tmp_path / "annotations", tmp_path / "annotations/captions_train2017.json"):
        corpus = read_corpus(source)
        assert corpus.image_root == str(tmp_path)
        assert len(corpus.pictures) == 4


def test_splits_come_from_the_names_of_files(tmp_path: Path) -> None:
    save(tmp_path, drawn(4), "")
    for split, one in zip(("train", "validation"), drawn(4)[::2], strict=True):
        rows = [{"image": one.name, "caption": "a boat"}]
        (tmp_path / f"{split}.json").write_text(json.dumps(rows))
    assert [one.split for one in read_corpus(tmp_path).pictures] == ["train", "val"]


def test_a_table_is_read_where_captions_have_no_file_of_their_own(tmp_path: Path) -> None:
    write = table("captions.txt", ",", "image,caption", "{name},{caption}")
    assert len(read_corpus(write(tmp_path, drawn(5))).pictures) == 5
