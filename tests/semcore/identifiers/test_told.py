"""Pictures may be told by their captions; texts never are."""

from dataclasses import replace

from semcore.bundle.item import Item
from semcore.identifiers.told import told_words

PICTURE = Item("1", "image", "train", "1", False, "A red <b> boat.\nTwo.", "1.png", "<g0> boat red")
TEXT = Item("1#0", "text", "train", "1", False, "a boat", "", "<g0> boat")


def test_keywords_are_told() -> None:
    assert told_words(PICTURE, "keywords") == ("boat", "red")
    assert told_words(TEXT, "keywords") == ("boat",)


def test_captions_are_told_of_pictures() -> None:
    assert told_words(PICTURE, "captions") == ["A", "red", "b>", "boat.", "Two."]
    assert told_words(TEXT, "captions") == ("boat",)
    assert told_words(replace(PICTURE, caption=""), "captions") == ("boat", "red")
