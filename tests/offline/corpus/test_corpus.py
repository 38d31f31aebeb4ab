"""A fingerprint is that of what is told, and a corpus that is written is read again."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from offline.corpus.corpus import CAPTIONS_FILE, Corpus, write_corpus
from offline.corpus.picture import Picture
from offline.corpus.reader import read_corpus

PICTURES = [
    Picture("a", "a.png", "train", ("one", "two"), metadata={"year": 1990, "tags": ["x"]}),
    Picture("b", "b.png", "test", ("three",)),
]


def test_what_is_told_changes_the_fingerprint() -> None:
    corpus = Corpus("c", "/c", PICTURES, [])
    moved = [replace(PICTURES[0], image="elsewhere.tar//0+9"), PICTURES[1]]
    assert replace(corpus, pictures=moved[::-1]).fingerprint == corpus.fingerprint
    for other in (
        replace(PICTURES[0], id="c"),
        replace(PICTURES[0], captions=("two", "one")),
        replace(PICTURES[0], split="val"),
        replace(PICTURES[0], metadata={"year": 1991, "tags": ["x"]}),
    ):
        changed = replace(corpus, pictures=[other, PICTURES[1]])
        assert changed.fingerprint != corpus.fingerprint


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    write_corpus([replace(one, metadata={}) for one in PICTURES], tmp_path)
    assert [file.name for file in tmp_path.glob("*.jsonl*")] == [CAPTIONS_FILE]
    assert list(read_corpus(tmp_path).pictures) == [replace(one, metadata={}) for one in PICTURES]
