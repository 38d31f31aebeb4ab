"""Items come, change and go while the index serves: what is found is what a plain model holds."""

import asyncio
import io
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from asking import asked
from living import new_item, running
from PIL import Image

from semcore.bundle.filter import Filter
from semcore.errors import JournalError
from semcore.journal.journal import Journal
from semcore.kind import DIRECTIONS, Kind, target_kind
from service.errors import NotFoundError
from service.retrieval import Retrieval
from service.schemas.answer import SearchOptions

FIELDS = ("year", "tags")
QUERY = {"text-to-image": "two red boats"}


@dataclass
class Model:
    """What should be found: kind and metadata by id."""

    items: dict[str, tuple[Kind, dict[str, Any]]] = field(default_factory=dict)

    def found(self, kind: Kind, wanted: Filter | None) -> set[str]:
        return {
            item_id
            for item_id, (its_kind, metadata) in self.items.items()
            if its_kind == kind and (wanted is None or wanted.matches(metadata))
        }


def a_filter(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    kind = rng.randrange(5 if depth < 2 else 2)
    if kind == 0:
        return {"field": "year", rng.choice(["gt", "gte", "lt", "lte"]): rng.randrange(1989, 1996)}
    if kind == 1:
        return {"field": rng.choice(FIELDS), "in": rng.sample([1990, 1991, "a", "b", "d"], 2)}
    if kind == 2:
        return {"not": a_filter(rng, depth + 1)}
    return {rng.choice(["and", "or"]): [a_filter(rng, depth + 1) for _ in range(2)]}


async def check(retrieval: Retrieval, model: Model, rng: random.Random) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    for direction in DIRECTIONS:
        query = "two red boats" if direction == "text-to-image" else picture.getvalue()
        wanted = Filter.model_validate(a_filter(rng)) if rng.random() < 0.6 else None
        options = SearchOptions(top_k=100, beam_width=100, verify="never", filter=wanted)
        answer = json.loads(await asked(retrieval, direction, query, options))
        ids = [item["id"] for item in answer["items"]]
        assert len(ids) == len(set(ids))
        assert set(ids) == model.found(target_kind(direction), wanted), wanted
        for item in answer["items"]:
            assert item["metadata"] == model.items[item["id"]][1]


async def change(retrieval: Retrieval, model: Model, rng: random.Random) -> None:
    known = sorted(model.items)
    if known and rng.random() < 0.45:
        item_id = rng.choice(known)
        await retrieval.writer.delete(item_id)
        del model.items[item_id]
        assert await retrieval.item(item_id) is None
        with pytest.raises(NotFoundError):
            await retrieval.writer.delete(item_id)
        return
    ids = {
        rng.choice([*known, *(f"new/{n}" for n in range(10))]) for _ in range(rng.randrange(1, 3))
    }
    items = [new_item(rng, item_id) for item_id in sorted(ids)]
    answer = await retrieval.writer.add(items)
    assert set(answer.identifiers) == ids
    for item in items:
        model.items[item.id] = (item.kind, dict(item.metadata))
        found = await retrieval.item(item.id)
        assert found is not None
        assert (found[1] is not None) == (item.kind == "image")


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_found_is_what_is_there(few: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    journal = tmp_path / "journal"
    model = Model()
    async with running(few, journal) as retrieval:
        store = retrieval.lifecycle.current.bundle.store
        model.items = {item.id: (item.kind, dict(item.metadata)) for item in store}
        for _ in range(12):
            await check(retrieval, model, rng)
            await change(retrieval, model, rng)
        folder = retrieval.lifecycle.current.bundle.folder
        await check(retrieval, model, rng)
        # Files of snapshots that nobody searches any more are gone: there is one side a kind.
        async with asyncio.timeout(60):
            while len({f.name.split(".")[1] for f in folder.iterdir() if "+" in f.name}) > 2:
                await asyncio.sleep(0.05)
        if seed % 2:
            for item_id in list(model.items):  # until nothing is left
                await retrieval.writer.delete(item_id)
                del model.items[item_id]
            await check(retrieval, model, rng)
            await change(retrieval, model, rng)
    async with running(few, journal) as retrieval:  # after a restart
        await check(retrieval, model, rng)
        await retrieval.lifecycle.reload(None)
        await check(retrieval, model, rng)
        await change(retrieval, model, rng)
        await retrieval.lifecycle.rollback()
        await check(retrieval, model, rng)


async def test_a_deleted_item_does_not_come_back_from_the_cache(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        options = SearchOptions(top_k=50, verify="never")

        async def ids() -> list[str]:
            answer = json.loads(await asked(retrieval, "text-to-image", "a boat", options))
            return [item["id"] for item in answer["items"]]

        before = await ids()
        assert await ids() == before
        await retrieval.writer.delete(before[0])
        assert before[0] not in await ids()


async def test_one_process_writes_a_journal(few: Path, tmp_path: Path) -> None:
    other = Journal(tmp_path / "journal")
    other.keep_picture(b"anything", ".png")
    async with running(few, tmp_path / "journal") as retrieval:
        with pytest.raises(JournalError, match="another service writes"):
            await retrieval.writer.add([new_item(random.Random(0), "late")])
        other.close()
        await retrieval.writer.add([new_item(random.Random(0), "late")])
    other.close()
