"""What was acknowledged is there, whatever becomes of the process; nothing is there by half."""

import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event

import pytest
from pydantic import ValidationError

from semcore.errors import JournalError
from semcore.item import ADDED
from semcore.journal import Change, Entry, Journal

ROUNDS = 200


def addition(item_id: str, caption: str = "a boat") -> Change:
    entry = Entry(
        id=item_id,
        kind="text",
        pair=item_id,
        captions=(caption,),
        image="",
        metadata={"year": 1990, "tags": ["a", "b"]},
        identifier="<g1> boat",
        clusters="c",
    )
    return Change(item_id, entry)


@pytest.mark.parametrize("image", ["../x.png", "/x.png", "a/x.png", ".."])
def test_a_picture_lies_in_the_folder_of_pictures(image: str) -> None:
    entry = addition("a").entry
    assert entry is not None
    with pytest.raises(ValidationError, match="no plain name of a file"):
        Entry.model_validate({**entry.model_dump(), "image": image})


def test_keeps_the_last_change_of_each_item(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.last == 0
    assert list(journal.since(0)) == []
    assert not (tmp_path / "journal").exists()
    journal.append([addition("a"), addition("b")])
    assert journal.last == 2
    journal.append([Change("a", None), addition("b", "a ship")])
    assert journal.last == 4
    again = Journal(tmp_path / "journal")
    assert again.name == journal.name != ""
    for one in (journal, again):
        assert list(one.since(0)) == [Change("a", None), addition("b", "a ship")]
        assert list(one.since(3)) == [addition("b", "a ship")]
        assert one.last == 4
    item = addition("b").entry
    assert item is not None
    assert (item.item().split, item.item("<g2> ship").identifier) == (ADDED, "<g2> ship")
    journal.prune(4)
    assert list(journal.since(0)) == []
    assert journal.last == 4
    journal.append([addition("c")])
    assert journal.last == 5
    journal.close()
    again.close()


def test_keeps_pictures_by_content(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    name = journal.keep_picture(b"one", ".png")
    assert journal.keep_picture(b"one", ".png") == name
    assert (journal.pictures / name).read_bytes() == b"one"
    assert [file.name for file in journal.pictures.iterdir()] == [name]
    journal.close()


def test_refuses_what_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no database, surely" * 100)
    with pytest.raises(JournalError, match="cannot be read"):
        Journal(tmp_path)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk."""
    journal = Journal(tmp_path / "journal")
    journal.append([addition("kept")])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(JournalError, match="cannot be written"):
            journal.append([addition(f"lost {n}", "boat " * 1000) for n in range(100)])
        with pytest.raises(JournalError, match="cannot be written"):
            journal.keep_picture(b"0" * 200_000, ".png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(journal.pictures.iterdir()) == []
    journal.append([addition("later")])
    assert [change.id for change in journal.since(0)] == ["kept", "later"]
    journal.close()


def test_survives_being_killed(tmp_path: Path) -> None:
    """Killed at a random moment of writing, again and again."""
    rng = random.Random(0)
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            _write_until_killed(tmp_path / "journal", number, writer)
        os.close(writer)
        told = b""
        while number % 2 and told.count(b"\n") < 3:  # at the earliest after three batches
            more = os.read(reader, 4096)
            assert more, "the child has ended by itself"
            told += more
        time.sleep(rng.uniform(0.002, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as rest:
            lines = (told + rest.read()).decode().splitlines(keepends=True)
        acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
        journal = Journal(tmp_path / "journal")
        found = {change.id for change in journal.since(0)}
        journal.close()
        batches = {name.rsplit(":", 1)[0] for name in found}
        assert acknowledged <= batches
        for batch in batches:
            size = int(batch.rsplit("/", 1)[1])
            assert {f"{batch}:{part}" for part in range(size)} <= found
    assert len(acknowledged) > ROUNDS


def _write_until_killed(folder: Path, number: int, told: int) -> None:
    try:
        journal = Journal(folder)
        for batch in range(1_000_000):
            size = batch % 4 + 1
            name = f"{number}.{batch}/{size}"
            journal.append([addition(f"{name}:{part}") for part in range(size)])
            os.write(told, f"{name}\n".encode())
    finally:
        os._exit(1)


class _Breaking(list[Change]):
    """Changes of which the last cannot be read, once somebody else has had his time."""

    def __init__(self, *changes: Change) -> None:
        super().__init__(changes)
        self.half, self.going_on = Event(), Event()

    def __iter__(self) -> Iterator[Change]:
        yield from super().__iter__()
        self.half.set()
        self.going_on.wait(30)
        raise OSError("disk full")


def test_what_is_half_written_is_seen_by_no_other_thread(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append([addition("a")])
    breaking = _Breaking(addition("b"))
    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(journal.append, breaking)
        assert breaking.half.wait(30)
        reading = threads.submit(journal.untold, 10)
        wait([reading], timeout=0.5)  # it cannot end yet, unless it sees what is half written
        breaking.going_on.set()
        with pytest.raises(JournalError, match="cannot be written"):
            writing.result()
        assert reading.result() == [(1, addition("a"))]
    assert list(journal.since(0)) == [addition("a")]
    journal.close()
