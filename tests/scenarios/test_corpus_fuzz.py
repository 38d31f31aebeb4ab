"""Corpora in any layout and encoding, damaged anywhere: every row is read or told, and nothing ends
in a traceback."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts import LAYOUTS, Drawn, drawn, json_lines, table

from offline.corpus.corpus import Corpus
from offline.corpus.reader import read_corpus
from semcore.errors import CorpusError

COUNT = 12
FILES = {  # of captions or rows, by layout; the others are archives or have one file a picture
    "json lines": "captions.jsonl",
    "karpathy": "dataset_flickr30k.json",
    "coco": "annotations/captions_train2017.json",
    "image folder, jsonl": "train/metadata.jsonl",
    "image folder, csv": "train/metadata.csv",
    "image folder, parquet": "train/metadata.parquet",
    "parquet": "data/train-00000-of-00002.parquet",
    "web dataset": "0000.tar",
    "flickr8k": "captions.txt",
    "flickr30k": "results.csv",
    "token": "results_20130124.token",
    "tsv in UTF-16": "all.tsv",
    "json list": "train.json",
}
A_LINE_A_ROW = {"json lines", "image folder, jsonl", "flickr30k", "token"}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "gb18030")
FUZZED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


def written(folder: Path, layout: str, pictures: Sequence[Drawn]) -> tuple[str | Path, Path]:
    """What is to be read, and the file that the rows stand in."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return LAYOUTS[layout](folder, pictures), folder / FILES[layout]


def read(source: str | Path) -> Corpus | None:
    """The corpus; None where a sentence says why there is none."""
    try:
        return read_corpus(source)
    except CorpusError:
        return None


def ids(corpus: Corpus | None) -> set[str]:
    return {picture.id.rpartition("/")[2] for picture in corpus.pictures} if corpus else set()


@FUZZED
@given(
    layout=st.sampled_from(sorted(FILES)),
    start=st.floats(0, 1),
    length=st.integers(0, 60),
    put=st.binary(max_size=20),
)
def test_damage_anywhere_is_told(
    layout: str, start: float, length: int, put: bytes, tmp_path: Path
) -> None:
    source, file = written(tmp_path / "corpus", layout, drawn(COUNT))
    content = file.read_bytes()
    at = int(start * len(content))
    file.write_bytes(content[:at] + put + content[at + length :])
    corpus = read(source)
    if layout in A_LINE_A_ROW and corpus is not None:
        # Lines that were not touched are read, unless what is left names no columns any more.
        touched = content.count(b"\n", at, at + length) + put.count(b"\n") + put.count(b"\r") + 2
        rows = len(corpus.bad_rows) + sum(max(1, len(one.captions)) for one in corpus.pictures)
        assert rows >= content.count(b"\n") - 1 - touched * 2 or "pictures alone" in corpus.layout


@FUZZED
@given(captions=st.lists(TEXTS, min_size=COUNT, max_size=COUNT))
def test_captions_of_any_text_are_kept_or_told(captions: list[str], tmp_path: Path) -> None:
    pictures = [
        Drawn(one.name, (caption,)) for one, caption in zip(drawn(COUNT), captions, strict=True)
    ]
    shutil.rmtree(tmp_path / "corpus", ignore_errors=True)
    (tmp_path / "corpus").mkdir()
    corpus = read(json_lines(tmp_path / "corpus", pictures))
    told = {row.key for row in corpus.bad_rows} if corpus else set()
    read_ = {one.id for one in corpus.pictures} if corpus else set()
    if corpus is not None:
        assert len(read_ | told) == COUNT
        assert not read_ & told


@pytest.mark.parametrize("encoding", ENCODINGS)
@FUZZED
@given(caption=TEXTS.filter(lambda text: not set(text) & set('\t\r\n\x0b\x0c\x1c\x1d\x1e\x85"')))
def test_tables_in_any_encoding_are_read_or_told(
    encoding: str, caption: str, tmp_path: Path
) -> None:
    caption = caption.encode(encoding, "ignore").decode(encoding)
    pictures = [Drawn("a.png", (f"one {caption}",)), Drawn("b.png", ("plain words",))]
    shutil.rmtree(tmp_path / "corpus", ignore_errors=True)
    (tmp_path / "corpus").mkdir()
    write = table("all.tsv", "\t", "file_name\ttext", "{name}\t{caption}", encoding)
    corpus = read(write(tmp_path / "corpus", pictures))
    assert corpus is not None
    keys = {one.id for one in corpus.pictures} | {row.key for row in corpus.bad_rows}
    assert keys == {"a.png", "b.png"}
    assert "b.png" in ids(corpus)
