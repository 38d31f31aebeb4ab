"""A journal's file is written whole, by one process, and nobody sees half of it."""

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event

import pytest

from semcore.clock import Clock
from semcore.errors import JournalError
from semcore.journal.journal_file import JournalFile

FACTS = "SELECT name, value FROM facts WHERE name <> 'name' ORDER BY name"


def test_a_folder_is_made_with_the_first_write(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "a" / "journal")
    assert (file.read(FACTS), file.fact("name"), file.is_locked) == ([], "", False)
    assert list(tmp_path.iterdir()) == []
    with file.writing():
        file.set_fact("epoch", "one")
        file.set_fact("read", Clock(journals={"a": 1}))
    with file.writing():
        file.set_fact("epoch", "two")
    assert file.is_locked
    again = JournalFile(tmp_path / "a" / "journal")
    for one in (file, again):
        assert Clock.model_validate_json(one.fact("read")) == Clock(journals={"a": 1})
        assert (one.fact("epoch"), one.fact("none")) == ("two", "")
        assert len(one.fact("name")) == 8
    assert not again.is_locked
    again.close()
    file.close()
    assert (file.is_locked, file.read(FACTS)) == (False, [])


def opened_below(folder: Path) -> int:
    """How many files of a folder this process has open."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            found += descriptor.readlink().is_relative_to(folder)
    return found


def test_one_process_writes_and_others_read(tmp_path: Path) -> None:
    first, second = JournalFile(tmp_path), JournalFile(tmp_path)
    with first.writing():
        first.set_fact("epoch", "one")
    opened = opened_below(tmp_path)
    with pytest.raises(JournalError, match="give each its own SEMCORE_JOURNAL"), second.writing():
        second.set_fact("epoch", "two")
    assert not second.is_locked
    assert opened_below(tmp_path) == opened
    reader = JournalFile(tmp_path)
    assert reader.fact("epoch") == "one"
    reader.close()
    first.close()
    with second.writing():
        second.set_fact("epoch", "two")
    assert second.fact("epoch") == "two"
    second.close()


@pytest.mark.parametrize("error", [OSError("disk full"), sqlite3.Error("odd"), KeyError("ours")])
def test_a_block_that_fails_writes_nothing(tmp_path: Path, error: Exception) -> None:
    file = JournalFile(tmp_path)
    with file.writing():
        file.set_fact("epoch", "one")
    with pytest.raises((JournalError, KeyError)) as raised, file.writing():
        file.set_fact("epoch", "two")
        file.set_fact("floor", "two")
        raise error
    if not isinstance(error, KeyError):
        assert f"the journal {tmp_path} cannot be written: {error}" in str(raised.value)
    assert file.read(FACTS) == [("epoch", "one")]
    with file.writing():
        file.set_fact("floor", "three")
    assert file.read(FACTS) == [("epoch", "one"), ("floor", "three")]
    file.close()


def test_what_is_half_written_is_seen_by_no_other_thread(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    with file.writing():
        file.set_fact("epoch", "one")
    half, going_on = Event(), Event()

    def write() -> None:
        with file.writing():
            file.set_fact("epoch", "two")
            half.set()
            going_on.wait(30)
            raise OSError("disk full")

    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(write)
        assert half.wait(30)
        reading = threads.submit(file.fact, "epoch")
        wait([reading], timeout=0.5)  # it cannot end yet, unless it sees what is half written
        going_on.set()
        with pytest.raises(JournalError, match="cannot be written"):
            writing.result()
        assert reading.result() == "one"
    file.close()


def test_refuses_what_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no database, surely" * 100)
    with pytest.raises(JournalError, match=f"the journal {tmp_path} cannot be read"):
        JournalFile(tmp_path)
    (tmp_path / "taken").write_text("a file")
    with (
        pytest.raises(JournalError, match="cannot be written"),
        JournalFile(tmp_path / "taken").writing(),
    ):
        pass
