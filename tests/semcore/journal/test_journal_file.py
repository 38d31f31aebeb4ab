"""A journal's file is written whole, by one process, and nobody sees half of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event

import pytest
from changes import addition

from semcore.clock import Clock
from semcore.errors import JournalError
from semcore.journal.change import Change
from semcore.journal.journal import Journal


def test_refuses_what_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no database, surely" * 100)
    with pytest.raises(JournalError, match="cannot be read"):
        Journal(tmp_path)


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
    assert journal.changes(Clock()) == [addition("a")]
    journal.close()
