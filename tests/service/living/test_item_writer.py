"""Changes are written whole, one after the other, and none is acknowledged that cannot be shown."""

import asyncio
import random
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from living import a_text, holds, lacks, new_item, running

from semcore.clock import position_of
from semcore.errors import JournalError
from semcore.identifiers.identifier import Identifier
from semcore.journal.change import Change, ToldChange
from semcore.trie.walk import Walk
from service.errors import InvalidQueryError, NotFoundError
from service.schemas.admin import NewItem


async def test_all_or_nothing(few: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    async with running(few, tmp_path / "journal") as retrieval:
        good, bad = new_item(rng, "good"), new_item(rng, "bad")
        damaged = bad.model_copy(update={"kind": "image", "image": b"no picture"})
        with pytest.raises(Exception, match="no JPEG"):
            await retrieval.writer.add([good, damaged])
        with pytest.raises(InvalidQueryError, match="same id"):
            await retrieval.writer.add([good, good])
        assert await retrieval.item("good") is None
        assert retrieval.lifecycle.status().journal == 0


async def test_no_write_begins_before_the_last_has_ended(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody waits for that any more; and it is whole."""
    begun, over = Event(), Event()
    async with running(few, tmp_path / "journal") as retrieval:
        append = retrieval._journal.append

        def slowly(*arguments: Any) -> None:
            begun.set()
            over.wait()
            append(*arguments)

        monkeypatch.setattr(retrieval._journal, "append", slowly)
        item = NewItem(id="first", kind="text", captions=["two dogs in the snow"])
        first = asyncio.create_task(retrieval.writer.add([item]))
        try:
            await asyncio.to_thread(begun.wait)
            first.cancel()
            await asyncio.sleep(0.1)
            assert retrieval.lifecycle.writing.locked()
        finally:
            over.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        await retrieval.writer.delete("first")  # which it could not, were it not there


@pytest.mark.parametrize(
    "caption",
    [
        "0" * 10_000,
        "a" * 10_000,
        "字" * 5000,
        "?!",
        "<g1> <|im_end|>",
        "\x00",
        "🙂" * 500,
        "the of",
    ],
)
async def test_any_text_can_be_added(few: Path, tmp_path: Path, caption: str) -> None:
    item = NewItem(id="odd", kind="text", captions=[caption])
    async with running(few, tmp_path / "journal") as retrieval:
        await retrieval.writer.add([item])
        found = await retrieval.item("odd")
        assert found is not None
    async with running(few, tmp_path / "journal") as retrieval:
        assert await retrieval.item("odd") is not None
        await retrieval.writer.add([new_item(random.Random(0), "next")])


async def test_what_cannot_be_shown_is_not_acknowledged(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        index = retrieval.lifecycle.current
        monkeypatch.setattr(index.bundle.namer, "name", lambda *_: Identifier(999, ("boat",)))
        with pytest.raises(InvalidQueryError, match=r"'odd' cannot be added: .* no token <g999>"):
            await retrieval.writer.add([a_text("odd")])
        monkeypatch.undo()

        def full(*_: object) -> None:
            raise OSError("no space left on device")

        monkeypatch.setattr(Walk, "save", full)
        with pytest.raises(JournalError, match="make room"):
            await retrieval.writer.add([a_text("odd")])
        monkeypatch.undo()
        assert retrieval._journal.last == 0
        assert await retrieval.item("odd") is None
        await retrieval.writer.add([a_text("even")])
        assert await retrieval.item("even") is not None


async def test_what_was_not_told_yet_is_not_undone(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        journal, follow = retrieval._journal, retrieval.writer.follow
        at = [position_of(1, f"{number}-0") for number in range(5)]
        await retrieval.writer.add([a_text("mine"), a_text("other")])
        (_, mine), (_, other) = journal.untold(2)
        await retrieval.writer.delete("mine")
        theirs = Change("theirs", other.entry and other.entry.model_copy(update={"id": "theirs"}))
        told = [
            ToldChange(journal.name, 1, at[1], at[1], mine),
            ToldChange(journal.name, 2, at[2], at[2], other),
            ToldChange("another", 1, at[3], at[3], theirs),
        ]
        await follow(told, at[3])
        assert await lacks(retrieval, "mine")
        assert await holds(retrieval, "other")
        assert await holds(retrieval, "theirs")
        # Once it was told, what follows in the stream is later.
        journal.tell(3, at[3])
        await follow([ToldChange("another", 2, at[4], at[4], mine)], at[4])
        assert await holds(retrieval, "mine")


async def test_who_tells_others_hears_of_own_changes_only(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        writer = retrieval.writer
        at = position_of(1, "1-0")
        await writer.follow([ToldChange("another", 1, at, at, Change("gone", None))], at)
        assert not writer.written.is_set()
        with pytest.raises(NotFoundError, match="no item 'gone'"):
            await writer.delete("gone")
        writer.written.clear()
        await writer.add([a_text("mine")])
        assert writer.written.is_set()


async def test_changes_that_others_follow_are_shown_at_the_end(few: Path, tmp_path: Path) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        await retrieval.writer.add([a_text("mine")])
        ((_, mine),) = retrieval._journal.untold(1)
        assert mine.entry is not None
        at = [position_of(1, f"{number}-0") for number in range(3)]
        for number, shown in ((1, False), (2, True)):
            entry = mine.entry.model_copy(update={"id": f"theirs {number}"})
            change = Change(entry.id, entry)
            told = ToldChange("another", number, at[number], at[number], change)
            await retrieval.writer.follow([told], at[number], show=shown)
            assert await holds(retrieval, entry.id) == shown
        assert await holds(retrieval, "theirs 1")
