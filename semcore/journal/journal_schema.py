"""The tables of a journal, and what is asked of them.

Columns of a change: ``number``, in the order in which changes came here; ``origin`` and
``origin_number``, which name it everywhere; ``key``, its place in the order of all replicas, and
``arrival``, where it was read in the stream (see :class:`semcore.journal.change.ToldChange`). A
change that no stream knows yet has no key; ``0`` stands for one that none will be told of, since
bundles hold it, and keys of generation 0 for those that an earlier program has told to other
replicas.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from typing import Any

from semcore.clock import Clock
from semcore.journal.change import Change

VERSION = 2
NAME, EPOCH, READ, FLOOR, PICTURES = "name", "epoch", "read", "floor", "pictures"
Statement = tuple[str, list[Any]]

_TABLES = """
CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, origin_number INTEGER NOT NULL,
    key TEXT, arrival TEXT, id TEXT NOT NULL, entry TEXT, image TEXT NOT NULL,
    told INTEGER NOT NULL, written INTEGER NOT NULL DEFAULT (unixepoch()),
    UNIQUE (origin, origin_number)
);
CREATE INDEX by_id ON changes (id, number);
CREATE INDEX by_key ON changes (key);
CREATE INDEX by_image ON changes (image) WHERE image <> '';
CREATE INDEX untold ON changes (number) WHERE NOT told;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE unused (image TEXT PRIMARY KEY);
"""
# Numbers must go on where they were: a bundle may hold changes up to one that was pruned.
_FROM_VERSION_1 = """
INSERT INTO facts SELECT 'name', name FROM own;
INSERT INTO changes (number, origin, origin_number, key, id, entry, image, told)
  SELECT number, name, number,
    CASE WHEN told THEN printf('000000-%015d-%08d', number, 0) END,
    id, entry, coalesce(json_extract(entry, '$.image'), ''), told
  FROM old_changes, own ORDER BY number;
UPDATE sqlite_sequence SET seq = max(seq, (SELECT seq FROM sqlite_sequence
  WHERE name = 'old_changes')) WHERE name = 'changes';
INSERT INTO sqlite_sequence SELECT 'changes', seq FROM sqlite_sequence AS old
  WHERE old.name = 'old_changes'
  AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'changes');
DROP TABLE old_changes;
DROP TABLE own;
"""
_COUNTS = "key IS NULL DESC, key DESC, number DESC"
"""The order of an item's changes, that which counts first."""
INSERT = (
    "INSERT INTO changes (number, origin, origin_number, key, arrival, id, entry, image, told) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UNTOLD = "SELECT number, id, entry FROM changes WHERE NOT told ORDER BY number LIMIT ?"
TELL_AGAIN = "UPDATE changes SET told = 0 WHERE key IS NULL"
STILL_USED = "DELETE FROM unused WHERE image IN (SELECT image FROM changes WHERE image <> '')"


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or those of an earlier program into these."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == VERSION:  # somebody else was faster
            return
        if version:
            raise sqlite3.DatabaseError(
                f"it has format {version} and this program reads {VERSION}; use the program that "
                "wrote it"
            )
        is_old = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'own'").fetchone()
        if is_old:
            for statement in (
                "DROP INDEX IF EXISTS by_id",
                "DROP INDEX IF EXISTS untold",
                "ALTER TABLE changes RENAME TO old_changes",
            ):
                connection.execute(statement)
        _run(connection, _TABLES)
        if is_old:
            pruned = _pruned(connection)
            _run(connection, _FROM_VERSION_1)
            floor = Clock(journals=pruned).model_dump_json()
            connection.execute("INSERT INTO facts VALUES (?, ?)", (FLOOR, floor))
        else:
            connection.execute("INSERT INTO facts VALUES (?, ?)", (NAME, uuid.uuid4().hex[:8]))
        connection.execute(f"PRAGMA user_version = {VERSION}")


def row(
    origin: str, origin_number: int, change: Change, *, number: int | None = None,
    key: str | None = None, arrival: str | None = None,
) -> tuple[object, ...]:  # fmt: skip
    """The values of :data:`INSERT`; ``number``: None for the next one."""
    entry = change.entry
    return (
        number, origin, origin_number, key, arrival, change.id,
        entry and entry.model_dump_json(), entry.image if entry else "", key is not None,
    )  # fmt: skip


def counting(
    held: Clock, after: int, set_aside: Sequence[str], settled: Statement | None
) -> Statement:
    """Id and entry of the change that counts of each item that has changed."""
    holds, values = _held(held)
    known, more = settled or ("1", [])
    aside = json.dumps(list(set_aside))
    statement = f"""
        WITH changed AS (
            SELECT DISTINCT id FROM changes WHERE number > ?
            AND (NOT {holds} OR id IN (SELECT value FROM json_each(?)))
        ), ranked AS (
            SELECT number, id, entry, {holds} AS holds,
                row_number() OVER (PARTITION BY id ORDER BY {_COUNTS}) AS rank
            FROM changes WHERE id IN changed AND {known}
        )
        SELECT id, entry FROM ranked WHERE rank = 1
        AND (NOT holds OR id IN (SELECT value FROM json_each(?))) ORDER BY number"""
    return statement, [after, *values, aside, *values, *more, aside]


def followed(clocks: Sequence[Clock], *, told_only: bool) -> Statement:
    """Number and picture of all changes that every clock holds and that others follow."""
    conditions, values = ["rank > 1"], []
    for clock in clocks:
        holds, more = _held(clock)
        conditions.append(holds)
        values += more
    if told_only:
        conditions.append("told")
    statement = f"""
        SELECT number, image FROM (
            SELECT *, row_number() OVER (PARTITION BY id ORDER BY {_COUNTS}) AS rank FROM changes
        ) WHERE {" AND ".join(conditions)}"""
    return statement, values


def settled(read: Clock) -> Statement:
    """A condition: no change can come before that is not known yet."""
    arrived, values = _within("arrival", read)
    return f"(key IS NOT NULL AND (arrival IS NULL OR {arrived}))", values


def last_without_stream(origin: str, known: Statement | None) -> Statement:
    condition, values = known or ("1", [])
    return (
        "SELECT coalesce(max(origin_number), 0) FROM changes "
        f"WHERE origin = ? AND (key IS NULL OR key = '0') AND {condition}",
        [origin, *values],
    )


def last_unsettled(held: Clock, read: Clock) -> Statement:
    holds, values = _held(held)
    arrived, more = _within("arrival", read)
    return f"SELECT max(number) FROM changes WHERE NOT {holds} AND NOT {arrived}", [*values, *more]


def lacking(held: Clock) -> Statement:
    holds, values = _held(held)
    return f"SELECT count(*), min(written) FROM changes WHERE NOT {holds}", values


def told(held: Clock, after: int, most: int) -> Statement:
    holds, values = _held(held)
    return (
        "SELECT number, origin, origin_number, key, arrival, id, entry FROM changes "
        f"WHERE number > ? AND key >= '000001' AND NOT {holds} ORDER BY number LIMIT ?",
        [after, *values, most],
    )


def settle_held(held: Clock) -> Statement:
    holds, values = _held(held)
    return f"UPDATE changes SET key = '0', told = 1 WHERE key IS NULL AND {holds}", values


def _held(clock: Clock) -> Statement:
    """A condition: a bundle with this clock holds the change."""
    known, values = _within("key", clock)
    arrived, more = _within("arrival", clock)
    conditions, values = [known, arrived], [*values, *more]
    if clock.positions:  # what an earlier program has told, each replica has compacted
        conditions.append("(key >= '000000-' AND key < '000001')")
    for name, last in clock.journals.items():
        conditions.append("(origin = ? AND origin_number <= ?)")
        values += [name, last]
    return f"coalesce({' OR '.join(conditions)}, 0)", values


def _within(column: str, clock: Clock) -> Statement:
    conditions, values = [], []
    for position in clock.positions:
        conditions.append(f"({column} >= ? AND {column} <= ?)")
        values += [position.partition("-")[0] + "-", position]
    return f"coalesce({' OR '.join(conditions) or '0'}, 0)", values


def _pruned(connection: sqlite3.Connection) -> dict[str, int]:
    """By name of the journal up to which number an earlier program has forgotten changes."""
    (name,) = connection.execute("SELECT name FROM own").fetchone()
    (first,) = connection.execute("SELECT min(number) FROM old_changes").fetchone()
    last = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = 'old_changes'"
    ).fetchone()
    pruned = (first - 1) if first is not None else (last[0] if last else 0)
    return {name: pruned} if pruned else {}


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Inside of the transaction, which ``executescript`` would end."""
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)
