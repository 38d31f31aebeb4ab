"""The tables of a journal are those of this program, whoever made the file."""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from changes import addition

from semcore.clock import Clock, position_of
from semcore.errors import BundleError
from semcore.journal import journal_schema as schema
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


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:")
    schema.prepare(opened)
    yield opened
    opened.close()


def test_tables_are_made_once(connection: sqlite3.Connection) -> None:
    known = connection.execute("SELECT * FROM facts").fetchall()
    ((what, name),) = known
    assert (what, len(name)) == (schema.NAME, 8)
    schema.prepare(connection)
    assert connection.execute("SELECT * FROM facts").fetchall() == known


def test_refuses_a_journal_of_a_later_program(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(sqlite3.DatabaseError, match="use the program that wrote it"):
        schema.prepare(connection)
    assert connection.execute("SELECT count(*) FROM facts").fetchone() == (1,)


@dataclass(frozen=True)
class _Row:
    """A change as it lies in the table."""

    number: int
    origin: str
    origin_number: int
    item: str
    key: str | None
    arrival: str | None

    def is_held(self, clock: Clock) -> bool:
        if self.origin_number <= clock.journals.get(self.origin, 0):
            return True
        return any(
            place is not None and place[:6] == position[:6] and place <= position
            for position in clock.positions
            for place in (self.key, self.arrival)
        )

    @property
    def rank(self) -> tuple[bool, str, int]:
        return self.key is None, self.key or "", self.number


def changes(rng: random.Random, connection: sqlite3.Connection) -> list[_Row]:
    rows = []
    for number in range(1, 40):
        item = rng.choice("abcdef")
        key = rng.choice([None, "0", position(rng), position(rng)])
        arrival = max(key, position(rng)) if key not in (None, "0") else None
        origin = rng.choice(["one", "two"])
        rows.append(_Row(number, origin, number, item, key, arrival))
        change = Change(item, None if rng.random() < 0.5 else addition(item).entry)
        row = schema.row(origin, number, change, number=number, key=key, arrival=arrival)
        connection.execute(schema.INSERT, row)
    return rows


def position(rng: random.Random) -> str:
    return position_of(rng.randrange(1, 3), f"{rng.randrange(20)}-0")


def clock(rng: random.Random) -> Clock:
    positions = {one[:6]: one for one in (position(rng) for _ in range(rng.randrange(3)))}
    journals = {"one": rng.randrange(40)} if rng.random() < 0.5 else {}
    return Clock(positions=tuple(sorted(positions.values())), journals=journals)


EVERYTHING = Clock(
    positions=(position_of(1, "99-0"), position_of(2, "99-0")), journals={"one": 99, "two": 99}
)


def last_of(rows: list[_Row]) -> list[_Row]:
    """Of each item the change that counts."""
    items = {one.item for one in rows}
    return [max((one for one in rows if one.item == i), key=lambda one: one.rank) for i in items]


@pytest.mark.parametrize("seed", range(30))
def test_statements_find_what_a_look_at_each_change_finds(
    seed: int, connection: sqlite3.Connection
) -> None:
    rng = random.Random(seed)
    rows = changes(rng, connection)
    held = EVERYTHING if seed % 5 == 0 else clock(rng)
    read, after = clock(rng), rng.choice([0, 20])

    def found(statement: schema.Statement) -> list[tuple[object, ...]]:
        return connection.execute(*statement).fetchall()

    lacked = [one for one in rows if not one.is_held(held)]
    assert found(schema.lacking(held))[0][0] == len(lacked)
    # What counts, of the items that have changed since, and of those that were set aside.
    aside = ["a"]
    since = {
        one.item
        for one in rows
        if one.number > after and (not one.is_held(held) or one.item in aside)
    }
    for known in (None, schema.settled(read)):
        settled = [
            one
            for one in rows
            if known is None
            or one.key == "0"
            or (one.key and one.arrival and _within(one.arrival, read))
        ]
        expected = sorted(
            (
                one
                for one in last_of(settled)
                if one.item in since and (not one.is_held(held) or one.item in aside)
            ),
            key=lambda one: one.number,
        )
        assert [i for i, _ in found(schema.counting(held, after, aside, known))] == [
            one.item for one in expected
        ]
    # What others follow may be forgotten once all bundles hold it.
    other = clock(rng)
    forgotten = {
        one.number
        for one in rows
        if one not in last_of(rows) and one.is_held(held) and one.is_held(other)
    }
    assert {n for n, _ in found(schema.followed([held, other], told_only=False))} == forgotten
    told = {one.number for one in rows if one.key is not None}
    assert {n for n, _ in found(schema.followed([held, other], told_only=True))} == (
        forgotten & told
    )
    # What a stream that follows a lost one is told once more, in the order in which it came.
    again = [one.number for one in lacked if one.number > after and (one.key or "") > "0"]
    assert [row[0] for row in found(schema.told(held, after, 5))] == again[:5]
    unread = [one.number for one in lacked if not (one.arrival and _within(one.arrival, read))]
    assert found(schema.last_unsettled(held, read)) == [(max(unread, default=None),)]


def _within(place: str, read: Clock) -> bool:
    return any(place[:6] == one[:6] and place <= one for one in read.positions)


def test_what_a_bundle_holds_counts_as_the_first_of_all(connection: sqlite3.Connection) -> None:
    """Unless it has a place in the order already."""
    place = position_of(1, "5-0")
    for number, key in ((1, None), (2, place), (3, None), (4, None)):
        row = schema.row("own", number, Change("a", None), number=number, key=key)
        connection.execute(schema.INSERT, row)
    connection.execute(*schema.settle_held(Clock(journals={"own": 3})))
    rows = connection.execute("SELECT number, key, told FROM changes ORDER BY number").fetchall()
    assert rows == [(1, "0", 1), (2, place, 1), (3, "0", 1), (4, None, 0)]

    def last(origin: str) -> tuple[int, ...]:
        found: tuple[int, ...] = connection.execute(
            *schema.last_without_stream(origin, schema.settled(Clock()))
        ).fetchone()
        return found

    assert last("own") == (3,)
    assert connection.execute(*schema.last_without_stream("own", None)).fetchone() == (4,)
    assert last("other") == (0,)
