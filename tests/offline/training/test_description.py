"""A picture is described by its own captions."""

from pathlib import Path

from offline.corpus.corpus import Corpus
from offline.training.description import DescriptionDataset
from semcore.bundle.item import Item
from semcore.pictures.picture_source import StoredPicture


def test_all_captions_of_each_picture(training_items: list[Item], corpus: Corpus) -> None:
    data = DescriptionDataset(training_items, corpus.image_root)
    captions: dict[str, set[str]] = {}
    for item in training_items:
        if item.kind == "text":
            captions.setdefault(item.pair, set()).add(item.caption)
    assert len(data) == len(data.sizes) == len(captions)
    pairs = {Path(corpus.image_root) / i.image: i.pair for i in training_items if i.kind == "image"}
    for index in range(len(data)):
        sample = data[index]
        assert sample.is_prose
        (path,) = sample.images
        assert isinstance(path, Path)
        assert set(sample.answers) == captions[pairs[path]]


def test_pictures_may_lie_behind_a_url() -> None:
    items = [
        Item("1", "image", "train", "1", False, "", "a.png", "<g0> boat"),
        Item("1#0", "text", "train", "1", False, "a boat", "", "<g0> boat red"),
    ]
    assert DescriptionDataset(items, "s3://bucket")[0].images == (
        StoredPicture("s3://bucket/a.png"),
    )
