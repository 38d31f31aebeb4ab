"""A picture is described by its own captions."""

from offline.corpus.corpus import Corpus
from offline.training.description import DescriptionDataset
from semcore.bundle.item import Item


def test_all_captions_of_each_picture(training_items: list[Item], corpus: Corpus) -> None:
    data = DescriptionDataset(training_items, corpus.image_root)
    captions: dict[str, set[str]] = {}
    for item in training_items:
        if item.kind == "text":
            captions.setdefault(item.pair, set()).add(item.caption)
    assert len(data) == len(data.sizes) == len(captions)
    pairs = {corpus.image_root / i.image: i.pair for i in training_items if i.kind == "image"}
    for index in range(len(data)):
        sample = data[index]
        assert sample.is_prose
        assert set(sample.answers) == captions[pairs[sample.images[0]]]
