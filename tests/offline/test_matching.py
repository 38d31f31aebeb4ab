"""Choices between two candidates: half by a text, half by a picture, the right one marked."""

from pathlib import Path

import pytest

from offline.corpus import Corpus
from offline.matching import MatchingDataset
from semcore.item import ItemStore
from semcore.prompt import IMAGE, LABELS


@pytest.fixture(scope="module")
def dataset(trained: Path, corpus: Corpus) -> MatchingDataset:
    store = ItemStore(trained / "bundle/items.sqlite", ("train",))
    items = [*store.of_split("train", "image"), *store.of_split("train", "text")]
    store.close()
    return MatchingDataset(items, corpus.image_root, 40, seed=0)


def test_shows_two_and_marks_the_right_one(dataset: MatchingDataset, corpus: Corpus) -> None:
    of_caption = {c: picture for picture in corpus.pictures for c in picture.captions}
    places = set()
    for index in range(len(dataset)):
        sample = dataset[index]
        assert sample.verdict is not None
        assert sample.answer == LABELS[sample.verdict]
        assert sample.prompt.count(IMAGE) == len(sample.images)
        assert len(sample.images) == (2 if index < 20 else 1)
        places.add(sample.verdict)
        lines = sample.prompt.splitlines()
        if index < 20:
            right = of_caption[lines[1]]
            assert sample.images[sample.verdict] == corpus.image_root / right.image
        else:
            right = of_caption[lines[2 + sample.verdict].rsplit(" (", 1)[0]]
            assert sample.images[0] == corpus.image_root / right.image
    assert places == {0, 1}


def test_sizes_are_of_both_directions(dataset: MatchingDataset) -> None:
    assert [len(kind) for kind in dataset.sizes] == [20, 20]
