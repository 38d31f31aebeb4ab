"""Texts are shown with their own picture as often as with another, and asked word by word."""

from pathlib import Path

from offline.corpus.corpus import Corpus
from offline.training.verification import VerificationDataset, said_words, verification_sample
from semcore.bundle.item import Item
from semcore.pictures.picture_source import StoredPicture


def test_words_said_are_those_of_all_captions() -> None:
    items = [
        Item(f"1#{n}", "text", "train", "1", False, caption, "", "<g0> boat")
        for n, caption in enumerate(("A red boat.", "Two boats at the sea"))
    ]
    assert said_words(items) == {"1": {"red", "boat", "two", "boats", "sea"}}


def test_asks_at_each_telling_word() -> None:
    item = Item("1", "image", "train", "1", False, "", "1.png", "<g0> boat red")
    sample = verification_sample(
        item,
        "A red car, and a boat",
        Path("1.png"),
        matches=False,
        said=frozenset({"red", "boat"}),
        asked=frozenset({"red", "car", "boat"}),
    )
    asked = [(sample.prompt[:place].split()[-1], true) for place, true in sample.checks]
    assert asked == [("red", True), ("car", False), ("boat", True)]
    assert sample.answers == ("No",)


def test_pairs_are_right_about_half_of_the_time(training_items: list[Item], corpus: Corpus) -> None:
    data = VerificationDataset(training_items, corpus.image_root, seed=0)
    texts = [item for item in training_items if item.kind == "text"]
    pairs = {Path(corpus.image_root) / i.image: i.pair for i in training_items if i.kind == "image"}
    right = 0
    assert len(data) == len(texts)
    for number, text in enumerate(texts):
        sample = data[number]
        (path,) = sample.images
        assert isinstance(path, Path)
        matches = pairs[path] == text.pair
        assert sample.answers == ("Yes" if matches else "No",)
        assert not matches or all(true for _, true in sample.checks)
        right += matches
    assert 0.35 < right / len(texts) < 0.65


def test_pictures_may_lie_behind_a_url() -> None:
    items = [
        Item("1", "image", "train", "1", False, "", "a.png", "<g0> boat"),
        Item("1#0", "text", "train", "1", False, "a boat", "", "<g0> boat red"),
    ]
    data = VerificationDataset(items, "s3://bucket", seed=0)
    assert data[0].images == (StoredPicture("s3://bucket/a.png"),)
