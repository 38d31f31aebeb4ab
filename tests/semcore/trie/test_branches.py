"""The tree of identifiers counts what a walk over all items counts."""

import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import pytest
from pyroaring import BitMap

from semcore.bundle.item import Item, ItemStore, write_items
from semcore.trie import places
from semcore.trie.branches import Ordered
from semcore.trie.places import Branch, in_order

WORDS = ["red", "re", "re-d", "boat", "été", "night"]
SPLITS = ("test", "val")


def items(seed: int) -> list[Item]:
    rng = random.Random(seed)
    found = []
    for number in range(200):
        words = rng.choices(WORDS, k=rng.randrange(1, 4))
        identifier = " ".join([f"<g{rng.randrange(12)}>", *words])
        split = rng.choice(["test", "val", "train"])
        kind = rng.choice(["image", "text"])
        found.append(Item(f"{number}", kind, split, "p", False, "", "", identifier))
    return found


def children(identifiers: Iterable[str], beginning: str) -> Counter[str]:
    depth = len(beginning.split())
    parts = [identifier.split(" ") for identifier in identifiers]
    return Counter(" ".join(one[: depth + 1]) for one in parts if len(one) > depth)


def below(identifiers: Iterable[str], beginning: str) -> list[str]:
    return [one for one in identifiers if f"{one} ".startswith(f"{beginning} ".lstrip())]


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "older"])
@pytest.mark.parametrize("few", [0, 3, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_branches_counts_and_numbers(
    seed: int, few: int, counted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``few``: places of no more items are not kept."""
    monkeypatch.setattr(places, "FEW", few)
    every = items(seed)
    write_items(tmp_path / "items.sqlite", every, SPLITS if counted else ())
    store = ItemStore(tmp_path / "items.sqlite", SPLITS)
    known = {i.id: i.identifier for i in every if i.kind == "image" and i.split in SPLITS}
    gallery = store.galleries["image"]
    beginnings = {""} | {
        " ".join(item.identifier.split()[:depth]) for item in every for depth in (1, 2, 3, 4)
    }
    for beginning in [*beginnings, "<g99>", "<g1> no", "<g"]:
        here = below(known.values(), beginning)
        longer = children(here, beginning)
        place = gallery.place(beginning, 1000)
        assert (place.items, place.branches, place.counts) == (len(here), len(longer), longer)
        assert place.usual == (median(longer.values()) if longer else 0)
        numbers = gallery.numbers(beginning, 1000)
        found = [item.identifier for item in store.of_numbers(numbers)]
        assert sorted(found) == sorted(here)
        if beginning:
            assert found == sorted(found)
        else:
            assert numbers == sorted(numbers)
        assert gallery.numbers(beginning, 3) == numbers[:3]
        listed = BitMap(random.Random(seed).sample(range(len(store)), len(store) // 2))
        left = [number for number in numbers if number in listed]
        assert gallery.numbers(beginning, 5, listed) == left[:5]
    counts = Counter(known.values())
    shared = in_order(Branch(one, count) for one, count in counts.items() if count > 1)
    assert gallery.shared(1000) == shared[:100]
    assert gallery.shared(3) == shared[:3]
    store.close()


def test_the_largest_branches_and_those_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "FEW", 10)
    write_items(tmp_path / "items.sqlite", items(0), SPLITS)
    store = ItemStore(tmp_path / "items.sqlite", SPLITS)
    gallery = store.galleries["text"]
    whole = gallery.place("", 1000).counts
    largest = in_order(Branch(*one) for one in whole.items())
    few = gallery.place("", 2, [largest[5].identifier, largest[0].identifier, "<g99>"]).counts
    assert few == {b.identifier: b.items for b in (*largest[:2], largest[5])}
    store.close()


def test_what_is_told_takes_no_look_at_the_items_below(tmp_path: Path) -> None:
    """However many there are: SQLite counts the steps of its machine."""
    steps = {}
    for size in (2_000, 8_000):
        rng = random.Random(size)
        every = [
            Item(f"{n:06}", "image", "test", "p", False, "", "",
                 f"<g{rng.randrange(8)}> {rng.choice(WORDS)} {n}")
            for n in range(size)
        ]  # fmt: skip
        path = tmp_path / f"{size}.sqlite"
        write_items(path, every, SPLITS)
        store = ItemStore(path, SPLITS)
        gallery = store.galleries["image"]
        told = 0

        def count() -> None:
            nonlocal told
            told += 1

        store._connection.set_progress_handler(count, 1)
        for beginning in ("", "<g1>", "<g1> boat"):
            gallery.place(beginning, 50)
            gallery.numbers(beginning, 24)
        gallery.shared(20)
        steps[size] = told
        store.close()
    assert steps[8_000] < 1.2 * steps[2_000]


@pytest.mark.parametrize("seed", range(20))
def test_identifiers_in_order(seed: int) -> None:
    rng = random.Random(seed)
    known = [item.identifier for item in items(seed)[: rng.randrange(40)]]
    half = len(known) // 2
    numbered = [(identifier, number) for number, identifier in enumerate(known)]
    ordered = Ordered(numbered[:half]).with_more(numbered[half:])
    assert [known[number] for number in ordered.numbers] == ordered.identifiers == sorted(known)
    for beginning in ("", "<g1>", "<g1> re", "<g", *known):
        here = below(known, beginning)
        assert [ordered.identifiers[place] for place in ordered.below(beginning)] == sorted(here)
        assert dict(ordered.following(beginning)) == children(here, beginning)
