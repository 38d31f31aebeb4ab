"""The tree of identifiers shows what can be found now."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from living import new_item, running

from semcore.bundle.item import Item, ItemStore
from semcore.kind import DIRECTIONS
from semcore.trie import branches, places
from semcore.trie.branches import Gallery
from service.retrieval import Retrieval
from service.schemas.admin import NewItem
from service.schemas.answer import SearchOptions


async def test_goes_from_clusters_to_items(client: httpx.AsyncClient) -> None:
    root = (await client.get("/identifiers")).json()
    assert root["count"] == sum(branch["items"] for branch in root["branches"]) == 120
    sizes = [branch["items"] for branch in root["branches"]]
    assert sizes == sorted(sizes, reverse=True)
    assert all(branch["words"] for branch in root["branches"])
    place = root["branches"][0]
    while True:
        answer = await client.get("/identifiers", params={"beginning": place["identifier"]})
        found = answer.json()
        assert found["count"] == place["items"]
        if not found["branches"]:
            break
        assert sum(branch["items"] for branch in found["branches"]) == found["count"]
        place = found["branches"][-1]
    assert [item["identifier"]["text"] for item in found["items"]] == [place["identifier"]]
    few = (await client.get("/identifiers", params={"branches": 2, "items": 3})).json()
    assert len(few["branches"]) == 2
    assert few["more_branches"] == len(root["branches"]) - 2
    assert len(few["items"]) == 3
    assert few["branches"] == root["branches"][:2]


async def test_nothing_below_what_is_no_beginning(client: httpx.AsyncClient) -> None:
    for beginning in ("<g0", "nonsense", "' OR 1=1 --", "<g99>"):
        found = (await client.get("/identifiers", params={"beginning": beginning})).json()
        assert (found["count"], found["branches"], found["items"]) == (0, [], [])


async def test_follows_additions_and_deletions(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        before = await retrieval.tree("text", "", 100, 100)
        gone = before.items[0]
        await retrieval.writer.delete(gone.id)
        item = NewItem(id="new", kind="text", captions=["a red boat at night"])
        await retrieval.writer.add([item])
        after = await retrieval.tree("text", "", 100, 100)
        ids = {item.id for item in after.items}
        assert ids == {item.id for item in before.items} - {gone.id} | {"new"}
        assert after.count == before.count == sum(branch.items for branch in after.branches)
        (new,) = [item for item in after.items if item.id == "new"]
        found = await retrieval.tree("text", new.identifier.text, 10, 100)
        assert "new" in [item.id for item in found.items]
        assert found.count == len(found.items)
        await retrieval.writer.delete("new")
        last = await retrieval.tree("text", new.identifier.text, 10, 100)
        assert last.count == found.count - 1


async def known(retrieval: Retrieval, ids: set[str]) -> list[Item]:
    found = [await retrieval.item(item_id) for item_id in sorted(ids)]
    return [one[0] for one in found if one is not None and one[0].kind == "text"]


@pytest.mark.parametrize("few", [1, 1000])
async def test_tells_what_a_walk_over_all_items_finds(
    few: int, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``few``: places of no more items are counted when they are asked for."""
    monkeypatch.setattr(places, "FEW", few)
    monkeypatch.setattr(branches, "are_counted", lambda *_: False)
    rng = random.Random(few)
    async with running(trained / "bundle", tmp_path / "journal") as retrieval:
        store = retrieval.lifecycle.current.bundle.store
        ids = {item.id for item in store}
        for number in range(60):
            if rng.random() < 0.6:
                gone = rng.choice(sorted(ids))
                await retrieval.writer.delete(gone)
                ids -= {gone}
            else:
                again = rng.choice([f"new{number}", rng.choice(sorted(ids))])
                await retrieval.writer.add([new_item(rng, again)])
                ids |= {again}
            if number % 10:
                continue
            here = await known(retrieval, ids)
            parts = [item.identifier.split(" ") for item in here]
            beginnings = {" ".join(one[:depth]) for one in parts for depth in range(len(one) + 1)}
            for beginning in ["", *rng.sample(sorted(beginnings), 20)]:
                depth = len(beginning.split())
                below = [one for one in parts if " ".join(one[:depth]) == beginning]
                longer = Counter(" ".join(one[: depth + 1]) for one in below if len(one) > depth)
                told = await retrieval.tree("text", beginning, 3, 200)
                assert told.count == len(below)
                largest = sorted(longer.items(), key=lambda one: (-one[1], one[0]))
                assert [(b.identifier, b.items) for b in told.branches] == largest[:3]
                assert told.more_branches == max(0, len(longer) - 3)
                shown = Counter(item.identifier.text for item in told.items)
                assert shown <= Counter(" ".join(one) for one in below)
                assert shown.total() == min(200, len(below))


async def test_no_look_at_the_items_is_made_on_the_loop(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def guarded(look: Callable[..., Any]) -> Callable[..., Any]:
        def guard(*args: Any, **more: Any) -> Any:
            nonlocal looks
            looks += 1
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            return look(*args, **more)

        return guard

    rng = random.Random(0)
    async with running(trained / "bundle", tmp_path / "journal", verify="always") as retrieval:
        some = next(retrieval.lifecycle.current.bundle.store.of_split("test", "text"))
        for owner, name in (
            (ItemStore, "get"), (ItemStore, "number"), (ItemStore, "of_numbers"),
            (ItemStore, "listed"), (ItemStore, "identifiers"), (Gallery, "numbers"),
            (Gallery, "shared"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, guarded(getattr(owner, name)))
        await retrieval.writer.add([new_item(rng, "new")])
        await retrieval.writer.delete(some.id)
        await retrieval.tree("text", "", 10, 10)
        assert await retrieval.item(some.pair)
        asked = retrieval.question(
            DIRECTIONS[0], "a red boat", SearchOptions(trace=[some.pair], explain=True)
        )
        assert await retrieval.search(asked, "a red boat")
        await retrieval.lifecycle.reload(None)
    assert looks > 10
