"""Both directions: texts ask for their picture, pictures for one of their texts."""

from offline.corpus.corpus import Corpus
from offline.training.pairs import PairDataset
from semcore.bundle.item import Item

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
        pair = pictures[str(path.relative_to(corpus.image_root))].pair
        assert of_pair[pair].issuperset(data[number].answers)


def test_sizes_are_of_both_directions(training_items: list[Item], corpus: Corpus) -> None:
    data = PairDataset(training_items, corpus.image_root, REPEATS, seed=0)
    by_text, by_picture = data.sizes
    assert len(by_text) + len(by_picture) == len(data)
    assert set(by_picture) == {0}
