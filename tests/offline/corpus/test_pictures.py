"""Entries of one picture become one; what contradicts is told; pictures come in order of id."""

import pytest

from offline.corpus.door import Entry
from offline.corpus.picture import Picture
from offline.corpus.pictures import Pictures
from offline.corpus.row import BadRow


def entry(line: int, name: str, *captions: str, **told: object) -> Entry:
    fields = {"id": "", "split": "", "metadata": {}, "longest": 0, "image": name, **told}
    return Entry(line=line, name=name, captions=captions, **fields)  # type: ignore[arg-type]


def joined(*entries: Entry) -> tuple[Pictures, list[tuple[int, str]]]:
    pictures = Pictures(source_captions=2)
    for one in entries:
        pictures.add(one, "a.jsonl")
    return pictures, [(row.line, row.reason) for row in pictures.join()]


def test_they_are_in_order_of_id_below_the_deepest_folder_of_all() -> None:
    pictures, bad = joined(
        entry(1, "x/y/b/0.png", "one"), entry(2, "x/y/a/0.png", "two"), entry(3, "x/y/a.png")
    )
    assert [one.id for one in pictures] == ["a.png", "a/0.png", "b/0.png"]
    assert (pictures.prefix, bad, len(pictures)) == ("x/y/", [], 3)
    assert pictures[-1] == Picture("b/0.png", "x/y/b/0.png", "train", ("one",))
    assert pictures[:2] == [pictures[0], pictures[1]]
    with pytest.raises(IndexError):
        pictures[3]


def test_rows_of_a_picture_are_joined() -> None:
    pictures, bad = joined(
        entry(1, "a.png", "one", metadata={"year": 1}),
        entry(2, "b.png", "other"),
        entry(3, "a.png", "two", split="test", metadata={"tags": ["x"]}),
    )
    told = Picture("a.png", "a.png", "test", ("one", "two"), metadata={"year": 1, "tags": ["x"]})
    assert (pictures[0], bad) == (told, [])


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        (entry(2, "a.png", "one"), "stands there already, with the same caption"),
        (entry(2, "a.png", "two", split="val"), "the split val is another than"),
        (entry(2, "a.png", "two", metadata={"year": 2}), "metadata.year is another than"),
        (entry(2, "c.png", "two", id="a.png"), "'a.png' stands twice, for a.png and for c.png"),
    ],
)
def test_what_contradicts_is_left_out(second: Entry, fault: str) -> None:
    first = entry(1, "a.png", "one", split="test", metadata={"year": 1})
    pictures, [(line, reason)] = joined(first, second)
    kept = Picture("a.png", "a.png", "test", ("one",), metadata={"year": 1})
    assert (line, list(pictures)) == (2, [kept])
    assert fault in reason


def test_ids_of_captions_are_none_of_pictures() -> None:
    pictures, bad = joined(
        entry(1, "a", "one", "two"), entry(2, "a#1", "x"), entry(3, "a#2", "x"), entry(4, "a#01"),
        entry(5, "b"), entry(6, "b#0"),
    )  # fmt: skip
    assert [one.id for one in pictures] == ["a", "a#01", "a#2", "b"]
    assert sorted(line for line, _ in bad) == [2, 6]
    assert "is that of a caption of another picture" in bad[0][1]


def test_a_picture_is_dropped_with_its_row() -> None:
    pictures, _ = joined(entry(1, "a.png"), entry(2, "b.png"))
    assert pictures.drop("b.png", "a fault") == BadRow(2, "a fault", "b.png", "a.jsonl")
    assert (len(pictures), [one.id for one in pictures]) == (1, ["a.png"])


def test_long_captions_are_told_by_row() -> None:
    pictures, _ = joined(entry(1, "b.png"), entry(2, "a.png", longest=900))
    assert list(pictures.long()) == [(BadRow(2, "", "a.png", "a.jsonl"), 900)]


def test_many_are_kept() -> None:
    count = 12_000
    pictures, bad = joined(*(entry(n, f"{n % 7}/{n}.png", f"caption {n}") for n in range(count)))
    assert (len(pictures), bad) == (count, [])
    assert sum(1 for _ in pictures) == count
