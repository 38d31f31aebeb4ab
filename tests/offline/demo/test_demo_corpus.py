"""The demo corpus is the same for a seed, and its tests show unseen combinations."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest

from offline.corpus.reader import read_corpus
from offline.demo import demo_corpus
from offline.demo.demo_corpus import demo_captions, write_demo_corpus, write_warm_up_corpus
from offline.demo.scene import Scene, families


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_is_deterministic(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_demo_corpus(tmp_path / name, 30)
    write_demo_corpus(tmp_path / "three", 30, seed=1)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "three")


def test_has_all_splits_and_five_captions(tmp_path: Path) -> None:
    write_demo_corpus(tmp_path, 60)
    corpus = read_corpus(tmp_path, strict=True)
    assert len(corpus.pictures) == 60
    assert {picture.split for picture in corpus.pictures} == {"train", "val", "test"}
    assert all(len(set(picture.captions)) == 5 for picture in corpus.pictures)


def test_warm_up_pictures_are_all_for_training(tmp_path: Path) -> None:
    write_warm_up_corpus(tmp_path, 20, beside=100)
    assert {picture.split for picture in read_corpus(tmp_path).pictures} == {"train"}


def test_warm_up_pictures_show_nothing_of_the_corpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn: list[tuple[str, Scene]] = []

    def take(_: Path, scenes: Iterable[tuple[str, Scene]], pictures: int, __: int) -> None:
        drawn.extend(islice(scenes, pictures))

    # Even if chance gave both the same scenes.
    monkeypatch.setattr(demo_corpus, "families", lambda _: families(0))
    monkeypatch.setattr(demo_corpus, "_write", take)
    write_demo_corpus(tmp_path, 200)
    shown = {scene.combination for _, scene in drawn}
    drawn.clear()
    write_warm_up_corpus(tmp_path, 50, beside=200)
    assert len(drawn) == 50
    assert shown.isdisjoint(scene.combination for _, scene in drawn)


def test_captions_come_without_pictures() -> None:
    assert len(list(demo_captions(50))) == 250
