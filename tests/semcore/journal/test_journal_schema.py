"""The tables of a journal are those of this program, whoever made the file."""

import sqlite3
from pathlib import Path

import pytest
from changes import addition

from semcore.clock import Clock
from semcore.errors import BundleError
from semcore.journal.change import Change
from semcore.journal.journal import Journal


def test_opens_a_journal_of_an_earlier_program(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    entry = addition("b").entry
    assert entry is not None
    connection = sqlite3.connect(tmp_path / "journal" / "journal.sqlite")
    connection.executescript(
        """
        CREATE TABLE changes (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, entry TEXT,
            told INTEGER NOT NULL
        );
        CREATE INDEX by_id ON changes (id, number);
        CREATE INDEX untold ON changes (number) WHERE NOT told;
        CREATE TABLE own (name TEXT NOT NULL, place TEXT NOT NULL);
        INSERT INTO own VALUES ('abcd', '7-0');
        """
    )
    rows = [("a", None, 1), ("gone", None, 1), ("b", entry.model_dump_json(), 1), ("c", None, 0)]
    for row in rows:
        connection.execute("INSERT INTO changes (id, entry, told) VALUES (?, ?, ?)", row)
    connection.execute("DELETE FROM changes WHERE number < 3")
    connection.commit()
    connection.close()
    journal = Journal(tmp_path / "journal")
    assert (journal.name, journal.last) == ("abcd", 4)
    held = Clock(journals={"abcd": 2})
    assert journal.changes(held) == [addition("b"), Change("c", None)]
    assert journal.untold(9) == [(4, Change("c", None))]
    journal.check(held)
    with pytest.raises(BundleError, match="lacks changes"):
        journal.check(Clock())  # the first two are nowhere else
    journal.append([Change("d", None)])
    assert journal.last == 5
    journal.close()
