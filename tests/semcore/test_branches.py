"""The tree of identifiers counts what a walk over all items counts."""

import random
from collections import Counter
from pathlib import Path

import pytest

from semcore.branches import Branch
from semcore.item import Item, ItemStore, write_items

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


@pytest.mark.parametrize("seed", range(3))
def test_branches_counts_and_numbers(seed: int, tmp_path: Path) -> None:
    every = items(seed)
    write_items(tmp_path / "items.sqlite", every)
    store = ItemStore(tmp_path / "items.sqlite", SPLITS)
    known = [i for i in every if i.kind == "image" and i.split in SPLITS]
    gallery = store.galleries["image"]
    beginnings = {""} | {
        " ".join(item.identifier.split()[:depth]) for item in every for depth in (1, 2, 3, 4)
    }
    for beginning in [*beginnings, "<g99>", "<g1> no", "<g"]:
        below = [i for i in known if f"{i.identifier} ".startswith(f"{beginning} ".lstrip())]
        depth = len(beginning.split())
        longer = Counter(
            " ".join(item.identifier.split()[: depth + 1])
            for item in below
            if len(item.identifier.split()) > depth
        )
        assert {b.identifier: b.items for b in gallery.branches(beginning)} == longer
        assert gallery.count(beginning) == len(below)
        numbers = gallery.numbers(beginning, 1000)
        assert {item.id for item in store.of_numbers(numbers)} == {item.id for item in below}
    counts = Counter(item.identifier for item in known)
    shared = [Branch(one, count) for one, count in counts.items() if count > 1]
    assert list(gallery.shared(1000)) == sorted(shared, key=lambda b: (-b.items, b.identifier))
    store.close()
