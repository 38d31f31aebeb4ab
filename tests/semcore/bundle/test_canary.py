"""A bundle carries searches of both directions, whose answers its own items know."""

from pathlib import Path

import pytest

from semcore.bundle import canary
from semcore.bundle.canary import CANARY, CanaryQuery, choose_canary, read_canary, write_canary
from semcore.bundle.item import Item, ItemStore, write_items
from semcore.errors import BundleError
from semcore.model.prompt import TOLD_WORDS, excerpt


def caption(pair: str, text: int) -> str:
    return f"{pair} {text} " + "a very long caption " * 99


def store(path: Path, pictures: int) -> ItemStore:
    """Of each picture two texts; of every fourth the second one is held out."""
    items = []
    for number in range(pictures):
        pair = f"{number:03}"
        items.append(Item(pair, "image", "test", pair, False, "boat", f"{pair}.png", "<g1> boat"))
        for text in (0, 1):
            held_out = text == 1 and number % 4 == 0
            said = caption(pair, text)
            items.append(
                Item(f"{pair}#{text}", "text", "test", pair, held_out, said, "", "<g1> boat")
            )
    write_items(path, items)
    return ItemStore(path, ("test",))


def test_texts_ask_for_their_pictures_and_pictures_for_their_texts(tmp_path: Path) -> None:
    opened = store(tmp_path / "items.sqlite", 3)
    chosen = choose_canary(opened, ["test"], seed=0)
    opened.close()
    texts = {(one.query, one.pair) for one in chosen if one.direction == "text-to-image"}
    images = {(one.query, one.pair) for one in chosen if one.direction == "image-to-text"}
    pairs = ["000", "001", "002"]
    assert images == {(pair, pair) for pair in pairs}
    assert texts == {(excerpt(caption(pair, text)), pair) for pair in pairs for text in (0, 1)}
    assert {len(query.split()) for query, _ in texts} == {TOLD_WORDS}


def test_texts_that_no_identifier_was_made_of_come_first(tmp_path: Path) -> None:
    opened = store(tmp_path / "items.sqlite", 60)
    chosen = choose_canary(opened, ["test"], seed=0)
    assert chosen == choose_canary(opened, ["test"], seed=0)
    assert chosen != choose_canary(opened, ["test"], seed=1)
    opened.close()
    texts = [one for one in chosen if one.direction == "text-to-image"]
    assert len(texts) == len(chosen) - len(texts) == 32
    held_out = [one.query.split()[1] == "1" and int(one.pair) % 4 == 0 for one in texts]
    assert held_out == [True] * 15 + [False] * 17


def test_the_last_split_of_the_gallery_is_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [
        Item(f"{split} {n}", "image", split, f"{split} {n}", False, "boat", "a.png", "<g1> boat")
        for split in ("train", "val", "test")
        for n in range(4)
    ]
    write_items(tmp_path / "items.sqlite", items)
    opened = ItemStore(tmp_path / "items.sqlite", ("train", "test"))
    monkeypatch.setattr(canary, "_LOOKED_AT", 5)
    asked = [one.query.split()[0] for one in choose_canary(opened, ["train", "test"], seed=0)]
    opened.close()
    assert sorted(asked) == ["test"] * 4 + ["train"]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    queries = [
        CanaryQuery(direction="text-to-image", query="ein Böötchen", pair="a"),
        CanaryQuery(direction="image-to-text", query="a", pair="a"),
    ]
    assert read_canary(tmp_path) == []
    write_canary(tmp_path, queries)
    assert read_canary(tmp_path) == queries


@pytest.mark.parametrize("content", ["", "{}", '[{"direction": "up", "query": "a", "pair": "a"}]'])
def test_damage_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / CANARY).write_text(content)
    with pytest.raises(BundleError, match=f"{CANARY} cannot be read"):
        read_canary(tmp_path)
