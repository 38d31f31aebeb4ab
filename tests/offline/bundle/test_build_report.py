"""The report of a build says which items share their identifier, and which rows were bad."""

from offline.bundle.build_report import build_report, collisions
from offline.corpus.corpus import Corpus
from offline.corpus.row import BadRow
from semcore.bundle.item import Item


def text(name: str, identifier: str, split: str = "test") -> Item:
    return Item(name, "text", split, name, False, name, "", identifier)


ITEMS = [
    text("a", "<g0> boat"),
    text("b", "<g0> boat"),
    text("c", "<g0> dog"),
    text("d", "<g0> dog", "train"),
]


def test_only_what_can_be_found_counts() -> None:
    found = collisions(ITEMS, ("test",))
    assert found["text"]["items"] == 2
    assert found["text"]["rate"] == 2 / 3
    assert found["text"]["worst"] == [("<g0> boat", 2)]
    assert found["image"] == {"rate": 0.0, "items": 0, "worst": []}
    assert collisions(ITEMS, ("test", "train"))["text"]["rate"] == 1.0


def test_bad_rows_are_listed() -> None:
    corpus = Corpus("c", "/", [], [BadRow(3, "no caption", "a.png", "b.csv")])
    report = build_report(corpus, ITEMS, ("test",))
    assert report["bad_rows"] == [
        {"line": 3, "reason": "no caption", "key": "a.png", "file": "b.csv"}
    ]
    assert report["collisions"]["text"]["items"] == 2
