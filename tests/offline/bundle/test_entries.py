"""A picture and its captions are entries; identifiers of one item become one item."""

from dataclasses import replace

from offline.bundle.entries import entries_of, folded
from offline.corpus.picture import Picture


def test_a_picture_and_its_captions_are_entries() -> None:
    picture = Picture("a", "a.png", "val", ("one", "two", "three"), metadata={"year": 1})
    image, *texts = entries_of([picture], views=1)
    assert (image.item.id, image.item.caption, image.sources) == ("a", "one two", ("one", "two"))
    assert [entry.item.id for entry in texts] == ["a#0", "a#1", "a#2"]
    assert [entry.item.held_out for entry in texts] == [False, False, True]
    assert {entry.item.pair for entry in (image, *texts)} == {"a"}
    assert all(entry.item.metadata == {"year": 1} for entry in texts)


def test_views_are_made_of_one_source_each() -> None:
    picture = Picture("a", "a.png", "val", ("one", "two", "three"))
    views = [entry.sources for entry in entries_of([picture], views=2) if entry.is_view]
    assert views == [("one",)]


def test_a_generated_caption_is_the_text_of_a_picture_without_others() -> None:
    image, text = entries_of([Picture("a", "a.png", "val", (), generated="boat red")], views=3)
    assert (image.item.caption, text.item.caption, text.item.held_out) == (
        "boat red", "boat red", False,
    )  # fmt: skip


def test_further_identifiers_of_an_item_are_views() -> None:
    (image, *_) = entries_of([Picture("a", "a.png", "val", ("one",))], views=1)
    named = [replace(image.item, identifier=one) for one in ("<g1> boat", "<g2> lamp", "<g1> boat")]
    assert folded(named) == [replace(named[0], views=("<g2> lamp",))]
