"""Both directions: texts ask for their picture, pictures for one of their texts."""

from pathlib import Path

from offline.corpus.corpus import Corpus
from offline.training.pairs import IndexDataset, PairDataset
from semcore.bundle.item import Item
from semcore.pictures.picture_source import StoredPicture

REPEATS = 3


def test_each_query_is_answered_by_the_other_kind(
    training_items: list[Item], corpus: Corpus
) -> None:
    data = PairDataset(training_items, corpus.image_root, REPEATS, seed=0)
    texts = [item for item in training_items if item.kind == "text"]
    pictures = {item.image: item for item in training_items if item.kind == "image"}
    identifiers = {item.pair: item.identifier for item in pictures.values()}
    of_pair: dict[str, set[str]] = {}
    for text in texts:
        of_pair.setdefault(text.pair, set()).add(text.identifier)
    assert len(data) == len(texts) + REPEATS * len(pictures)
    for number, text in enumerate(texts):
        assert data[number].answers == (identifiers[text.pair],)
        assert data[number].images == ()
    for number in range(len(texts), len(data)):
        (path,) = data[number].images
        assert isinstance(path, Path)
        pair = pictures[str(path.relative_to(corpus.image_root))].pair
        assert of_pair[pair].issuperset(data[number].answers)


def test_sizes_are_of_both_directions(training_items: list[Item], corpus: Corpus) -> None:
    data = PairDataset(training_items, corpus.image_root, REPEATS, seed=0)
    by_text, by_picture = data.sizes
    assert len(by_text) + len(by_picture) == len(data)
    assert set(by_picture) == {0}


def test_pictures_may_lie_behind_a_url() -> None:
    items = [
        Item("1", "image", "train", "1", False, "", "all.tar//0+4", "<g0> boat"),
        Item("1#0", "text", "train", "1", False, "a boat", "", "<g0> boat red"),
    ]
    place = StoredPicture("s3://bucket/all.tar", "0+4")
    assert PairDataset(items, "s3://bucket", 1, seed=0)[1].images == (place,)
    index = IndexDataset(items, "s3://bucket", 1)
    assert [index[number].images for number in range(2)] == [(place,), ()]
