"""The tree of identifiers shows what can be found now."""

from pathlib import Path

import httpx
from living import running

from service.admin import NewItem


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
