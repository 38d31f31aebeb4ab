"""What was acknowledged is there, whatever becomes of the process; nothing is there by half."""

import os
import random
import resource
import signal
import time
from pathlib import Path

import pytest
from changes import addition

from semcore.bundle.item import ADDED
from semcore.clock import Clock, position_of
from semcore.errors import BundleError, JournalError
from semcore.journal.change import Change, ToldChange
from semcore.journal.journal import Journal

ROUNDS = 200


def position(entry: str, generation: int = 1) -> str:
    return position_of(generation, entry)


def told(origin: str, number: int, at: str, change: Change, key: str = "") -> ToldChange:
    return ToldChange(origin, number, key or at, at, change)


def test_keeps_the_last_change_of_each_item(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    nothing = Clock()
    assert journal.last == 0
    assert journal.changes(nothing) == []
    assert not (tmp_path / "journal").exists()
    journal.append([addition("a"), addition("b")])
    assert journal.last == 2
    journal.append([Change("a", None), addition("b", "a ship")])
    assert journal.last == 4
    again = Journal(tmp_path / "journal")
    assert again.name == journal.name != ""
    for one in (journal, again):
        assert one.changes(nothing) == [Change("a", None), addition("b", "a ship")]
        assert one.changes(nothing, after=3) == [addition("b", "a ship")]
        assert one.changes(Clock(journals={one.name: 3})) == [addition("b", "a ship")]
        assert one.last == 4
    item = addition("b").entry
    assert item is not None
    assert (item.item().split, item.item("<g2> ship").identifier) == (ADDED, "<g2> ship")
    held = journal.holding(nothing)
    assert held == Clock(journals={journal.name: 4})
    journal.prune([held])
    # What counts stays: a bundle that was built without it can still be brought up to date.
    assert journal.changes(nothing) == [Change("a", None), addition("b", "a ship")]
    assert journal.lacking(held) == (0, 0)
    assert journal.lacking(nothing)[0] == 2
    assert journal.last == 4
    journal.append([addition("c")])
    assert journal.last == 5
    assert journal.changes(held) == [addition("c")]
    journal.close()
    again.close()


def test_all_replicas_follow_one_order(tmp_path: Path) -> None:
    """Whichever of the changes of an item came here first."""
    mine, theirs = addition("a", "mine"), addition("a", "theirs")
    journal = Journal(tmp_path / "journal")
    journal.append([mine])
    journal.follow([told("other", 1, position("1-0"), theirs)], position("1-0"))
    assert journal.changes(Clock()) == [mine]  # which comes later, once it is told
    journal.join("1:stream", Clock())
    ((number, change),) = journal.untold(9)
    assert change == mine
    journal.tell(number, position("2-0"))
    assert journal.count_untold() == 0
    assert journal.unsettled(Clock()) == 1  # until it was read back
    assert journal.holding(Clock()) == Clock(positions=(position("1-0"),))
    assert journal.changes(Clock(), settled=True) == [theirs]
    journal.follow([told(journal.name, 1, position("2-0"), mine)], position("2-0"))
    assert journal.unsettled(Clock()) == 0
    assert journal.holding(Clock()) == Clock(positions=(position("2-0"),))
    journal.follow([told("other", 2, position("3-0"), theirs)], position("3-0"))
    assert journal.changes(Clock()) == [theirs]
    assert journal.changes(Clock(positions=(position("3-0"),))) == []
    journal.prune([Clock(positions=(position("3-0"),))])
    assert journal.lacking(Clock())[0] == 1
    journal.close()


def test_a_change_that_is_told_once_more_keeps_its_place(tmp_path: Path) -> None:
    """In the stream that follows a lost one."""
    old, new = addition("a", "old"), addition("a", "new")
    journal = Journal(tmp_path / "journal")
    journal.follow([told("other", 2, position("2-0"), new)], position("2-0"))
    following = position("1-0", 2)
    again = told("another", 1, following, old, key=position("1-0"))
    journal.follow([again], following)
    assert journal.changes(Clock()) == [new]
    assert journal.read == Clock(positions=(position("2-0"), following))
    # Known by a later place first, and by its own afterwards.
    journal.follow(
        [told("third", 1, position("2-0", 2), addition("b", "late"))], position("2-0", 2)
    )
    journal.follow([told("other", 3, position("3-0"), addition("b", "b"))], position("3-0", 2))
    last = journal.last
    where = position("4-0", 2)
    earlier = told("third", 1, where, addition("b", "late"), key=position("1-5"))
    journal.follow([earlier], where)
    assert journal.changes(Clock(), after=last) == [addition("b", "b")]
    journal.close()


def test_a_bundle_lacks_what_the_journal_lacks(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    held = Clock(positions=(position("5-0"),), journals={"other": 3})
    journal.check(held)
    journal.adopt(held, skip=True)
    journal.check(held)
    for less in (Clock(), Clock(positions=(position("5-0"),)), Clock(journals={"other": 3})):
        with pytest.raises(BundleError, match="lacks changes of items"):
            journal.check(less)
    assert journal.read == Clock(positions=(position("5-0"),))
    journal.close()


def test_a_journal_from_a_backup_uses_no_number_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append([addition("a")])
    held = Clock(journals={journal.name: 7})
    journal.adopt(held)
    journal.append([addition("b")])
    assert journal.changes(held) == [addition("b")]
    journal.close()


def test_what_a_bundle_holds_is_told_to_nobody(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append([addition("a"), addition("b")])
    journal.join("1:stream", Clock(journals={journal.name: 1}))
    assert [change.id for _, change in journal.untold(9)] == ["b"]
    # It counts as the first of all changes.
    journal.follow([told("other", 1, position("1-0"), Change("a", None))], position("1-0"))
    assert Change("a", None) in journal.changes(Clock())
    journal.close()


def test_keeps_pictures_by_content(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", tmp_path / "shared")
    name = journal.keep_picture(b"one", ".png")
    assert journal.keep_picture(b"one", ".png") == name
    assert (tmp_path / "shared" / name).read_bytes() == b"one"
    assert [file.name for file in (tmp_path / "shared").iterdir()] == [name]
    journal.close()
    again = Journal(tmp_path / "journal")
    assert again.picture_folders == [tmp_path / "shared", tmp_path / "journal" / "pictures"]
    again.close()


def test_pictures_of_no_item_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    first, second = (journal.keep_picture(content, ".png") for content in (b"one", b"two"))

    def shows(item_id: str, image: str) -> Change:
        entry = addition(item_id).entry
        assert entry is not None
        return Change(item_id, entry.model_copy(update={"kind": "image", "image": image}))

    journal.append([shows("a", first), shows("b", second), shows("c", second)])
    journal.append([Change("a", None), Change("b", None)])
    journal.prune([Clock(journals={journal.name: 2})], pictures_after=3600)
    names = {file.name for file in journal.pictures.path.iterdir()}
    assert names == {first, second}  # young: somebody may want them again
    journal.prune([Clock(journals={journal.name: 2})])
    assert {file.name for file in journal.pictures.path.iterdir()} == {second}
    journal.close()


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
    assert list(journal.pictures.path.iterdir()) == []
    journal.append([addition("later")])
    assert [change.id for change in journal.changes(Clock())] == ["kept", "later"]
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
        found = {change.id for change in journal.changes(Clock())}
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
