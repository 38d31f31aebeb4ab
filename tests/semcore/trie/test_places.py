"""Places in the tree of identifiers are counted as a look at all items counts them."""

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from semcore.bundle.item import Item, write_items
from semcore.trie import places
from semcore.trie.places import Branch, are_counted, count_places, in_order, note_splits

SPLITS = ("test", "val")
WORDS = ["red", "re", "re-d", "boat", "été"]
SELECT = "SELECT beginning, items, branches, usual FROM places WHERE kind = ? ORDER BY beginning"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    write_items(tmp_path / "items.sqlite", [])
    opened = sqlite3.connect(tmp_path / "items.sqlite")
    yield opened
    opened.close()


def insert(connection: sqlite3.Connection, items: list[Item]) -> None:
    connection.executemany(
        "INSERT INTO items VALUES (?, ?, ?, ?, 'p', 0, '', '', ?, '', '{}')",
        ((n, one.id, one.kind, one.split, one.identifier) for n, one in enumerate(items)),
    )


def items(seed: int, count: int = 300) -> list[Item]:
    rng = random.Random(seed)
    found = []
    for number in range(count):
        words = rng.choices(WORDS, k=rng.randrange(4))
        identifier = " ".join([f"<g{rng.randrange(4)}>", *words])
        split = rng.choice(["test", "val", "train"])
        kind = rng.choice(["image", "text"])
        found.append(Item(f"{number}", kind, split, "p", False, "", "", identifier))
    return found


@pytest.mark.parametrize("few", [0, 5])
@pytest.mark.parametrize("seed", range(3))
def test_counts_what_lies_below_each_place_with_many_items(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, seed: int, few: int
) -> None:
    monkeypatch.setattr(places, "FEW", few)
    every = items(seed)
    insert(connection, every)
    count_places(connection, "image", SPLITS, connection)
    parts = [
        tuple(one.identifier.split(" "))
        for one in every
        if one.kind == "image" and one.split in SPLITS
    ]
    below = Counter(one[:depth] for one in parts for depth in range(len(one) + 1))
    kept = {place: count for place, count in below.items() if count > few}
    expected = []
    for place, count in kept.items():
        following = {one: n for one, n in below.items() if one[:-1] == place and one}
        usual = median(following.values()) if following else 0
        expected.append((" ".join(place), count, len(following), usual))
        rows = connection.execute(
            "SELECT identifier, items FROM branches "
            "WHERE kind = 'image' AND beginning = ? ORDER BY rank",
            [" ".join(place)],
        ).fetchall()
        branches = [Branch(" ".join(one), n) for one, n in following.items()]
        assert rows == [(one.identifier, one.items) for one in in_order(branches)]
    assert connection.execute(SELECT, ["image"]).fetchall() == sorted(expected)
    assert connection.execute(SELECT, ["text"]).fetchall() == []


def test_keeps_the_identifiers_that_most_items_share(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SHARED", 3)
    shared = {"<g1> a": 2, "<g1> b": 4, "<g2>": 2, "<g2> c": 2, "<g3>": 1, "<g4>": 7}
    names = [name for name, count in shared.items() for _ in range(count)]
    insert(connection, [Item(f"{n}", "text", "test", "p", False, "", "", name)
                        for n, name in enumerate(names)])  # fmt: skip
    count_places(connection, "text", SPLITS, connection)
    rows = connection.execute("SELECT kind, identifier, items FROM shared ORDER BY rank").fetchall()
    # Of as many items, that which comes first.
    assert rows == [("text", "<g4>", 7), ("text", "<g1> b", 4), ("text", "<g1> a", 2)]


def test_nothing_is_kept_where_there_is_nothing(connection: sqlite3.Connection) -> None:
    count_places(connection, "text", SPLITS, connection)
    assert connection.execute("SELECT count(*) FROM places").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM shared").fetchone() == (0,)


def test_says_of_which_splits_places_were_counted(connection: sqlite3.Connection) -> None:
    assert not are_counted(connection, SPLITS)
    note_splits(connection, SPLITS)
    assert are_counted(connection, SPLITS)
    assert are_counted(connection, ["val", "test", "val"])
    assert not are_counted(connection, ["test"])
    assert not are_counted(connection, ["train", *SPLITS])
    connection.execute("DROP TABLE counted")  # which earlier bundles do not have
    assert not are_counted(connection, SPLITS)


def test_those_of_most_items_come_first() -> None:
    branches = [Branch("b", 1), Branch("a", 1), Branch("c", 3)]
    assert in_order(branches) == [Branch("c", 3), Branch("a", 1), Branch("b", 1)]
