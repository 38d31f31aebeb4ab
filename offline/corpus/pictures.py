"""The pictures of a corpus, joined of its entries, on disk: memory does not grow with them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple, overload

from offline.corpus.door import Entry
from offline.corpus.picture import Picture
from offline.corpus.row import BadRow

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE entries (
    number INTEGER PRIMARY KEY, id TEXT, name TEXT, file INTEGER, line INTEGER, image TEXT,
    split TEXT, captions TEXT, metadata TEXT, longest INTEGER
);
CREATE TABLE pictures (
    id TEXT PRIMARY KEY, image TEXT, split TEXT, captions TEXT, metadata TEXT, file INTEGER,
    line INTEGER, longest INTEGER
) WITHOUT ROWID;
"""
_BATCH = 5000
_OF_A_CAPTION = re.compile(r"(.*)#(\d+)", re.DOTALL)
_COLUMNS = "id, image, split, captions, metadata"
_USUAL_SPLIT = "train"
_NOTHING = "{}"
_written = json.JSONEncoder(ensure_ascii=False).encode


class _Kept(NamedTuple):
    """A row of the table of pictures; captions and metadata in JSON."""

    id: str
    image: str
    split: str
    captions: str
    metadata: str
    file: int
    line: int
    longest: int


class Pictures(Sequence[Picture]):
    """Pictures in order of id."""

    def __init__(self, source_captions: int) -> None:
        self._source_captions = source_captions
        # Without a name it is a file of SQLite's own, gone with the connection.
        self._connection = sqlite3.connect("", check_same_thread=False)
        self._connection.executescript(_SCHEMA)
        self._waiting: list[tuple[Any, ...]] = []
        self._files: dict[str, int] = {}
        self._common: list[str] | None = None
        self._last_folder: str | None = None
        self._count = 0

    def add(self, entry: Entry, file: str) -> None:
        """An entry of a file; all come before :meth:`join`."""
        number = self._files.setdefault(file, len(self._files))
        captions = _written(entry.captions)
        metadata = _written(entry.metadata) if entry.metadata else _NOTHING
        told = entry.split, captions, metadata, entry.longest
        self._waiting.append((entry.id, entry.name, number, entry.line, entry.image, *told))
        if not entry.id:
            self._narrow(entry.name.rpartition("/")[0])
        if len(self._waiting) == _BATCH:
            self._flush()

    @property
    def prefix(self) -> str:
        """The deepest folder that all pictures without an id of their own lie in, with its ``/``;
        or ""."""
        return "".join(f"{part}/" for part in self._common or ())

    def join(self) -> list[BadRow]:
        """Make pictures of the entries: those of one id, or of one name, are one picture.

        Returns:
            Entries that contradict those before them, or say nothing new.
        """
        self._flush()
        bad: list[BadRow] = []
        self._connection.executemany(
            f"INSERT INTO pictures VALUES ({', '.join('?' * 8)})", self._joined(bad)
        )
        self._connection.execute("DROP TABLE entries")
        bad += self._without_ids_of_captions()
        self._count = self._connection.execute("SELECT count(*) FROM pictures").fetchone()[0]
        return bad

    def drop(self, picture_id: str, reason: str) -> BadRow:
        """Leave a picture out."""
        where = "FROM pictures WHERE id = ?"
        file, line = self._connection.execute(
            f"SELECT file, line {where}", (picture_id,)
        ).fetchone()
        self._connection.execute(f"DELETE {where}", (picture_id,))
        self._count -= 1
        return BadRow(line, reason, picture_id, self._file(file))

    def long(self) -> Iterator[tuple[BadRow, int]]:
        """The rows of pictures with captions that are not told whole, without a reason, and how
        many characters the longest of these has."""
        statement = "SELECT id, file, line, longest FROM pictures WHERE longest ORDER BY file, line"
        for picture_id, file, line, longest in self._connection.execute(statement):
            yield BadRow(line, "", picture_id, self._file(file)), longest

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Picture]:
        statement = f"SELECT {_COLUMNS} FROM pictures ORDER BY id"
        return map(self._picture, self._connection.execute(statement))

    @overload
    def __getitem__(self, at: int) -> Picture: ...

    @overload
    def __getitem__(self, at: slice) -> list[Picture]: ...

    def __getitem__(self, at: int | slice) -> Picture | list[Picture]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = at + len(self) if at < 0 else at
        statement = f"SELECT {_COLUMNS} FROM pictures ORDER BY id LIMIT 1 OFFSET ?"
        row = self._connection.execute(statement, (place,)).fetchone() if place >= 0 else None
        if row is None:
            raise IndexError(at)
        return self._picture(row)

    def _picture(self, row: tuple[str, str, str, str, str]) -> Picture:
        picture_id, image, split, captions, metadata = row
        return Picture(
            picture_id,
            image,
            split,
            tuple(json.loads(captions)),
            source_captions=self._source_captions,
            metadata=json.loads(metadata),
        )

    def _narrow(self, folder: str) -> None:
        if folder == self._last_folder:
            return
        self._last_folder = folder
        parts = folder.split("/") if folder else []
        if self._common is None:
            self._common = parts
        same = 0
        for one, other in zip(self._common, parts, strict=False):
            if one != other:
                break
            same += 1
        self._common = self._common[:same]

    def _flush(self) -> None:
        statement = f"INSERT INTO entries VALUES (NULL, {', '.join('?' * 9)})"
        self._connection.executemany(statement, self._waiting)
        self._waiting = []

    def _file(self, number: int) -> str:
        return list(self._files)[number]

    def _joined(self, bad: list[BadRow]) -> Iterator[_Kept]:
        key = "CASE id WHEN '' THEN substr(name, ?) ELSE id END"
        statement = (
            f"SELECT {key} AS key, image, split, captions, metadata, file, line, longest "
            "FROM entries ORDER BY key, number"
        )
        rows = self._connection.execute(statement, (len(self.prefix) + 1,))
        for _, group in groupby(map(_Kept._make, rows), lambda one: one.id):
            first, *others = group
            if others:
                first, faults = _joined(first, others)
                bad += [BadRow(o.line, why, o.id, self._file(o.file)) for o, why in faults]
            yield first if first.split else first._replace(split=_USUAL_SPLIT)

    def _without_ids_of_captions(self) -> list[BadRow]:
        """Leave out pictures whose id a caption of another picture has."""
        bad = []
        found = self._connection.execute("SELECT id FROM pictures WHERE id GLOB '*#[0-9]*'")
        for (picture_id,) in found.fetchall():
            if (parts := _OF_A_CAPTION.fullmatch(picture_id)) is None:
                continue
            other, number = parts.groups()
            row = self._connection.execute(
                "SELECT captions FROM pictures WHERE id = ?", (other,)
            ).fetchone()
            if row and str(int(number)) == number and int(number) < max(1, len(json.loads(row[0]))):
                reason = f"the id {picture_id!r} is that of a caption of another picture"
                bad.append(self.drop(picture_id, reason))
        return bad


def _joined(first: _Kept, others: Sequence[_Kept]) -> tuple[_Kept, list[tuple[_Kept, str]]]:
    """Entries of a picture in one, and those that are none of it, with the reason."""
    captions, metadata = json.loads(first.captions), json.loads(first.metadata)
    split, longest = first.split, first.longest
    bad = []
    for other in others:
        more = json.loads(other.captions)
        others_metadata = json.loads(other.metadata) if other.metadata != _NOTHING else {}
        new = [caption for caption in more if caption not in captions]
        clash = [f for f, value in others_metadata.items() if metadata.get(f, value) != value]
        if other.image != first.image:
            reason = f"the id {first.id!r} stands twice, for {first.image} and for {other.image}"
        elif other.split and split and other.split != split:
            reason = f"the split {other.split} is another than that of the same picture before"
        elif clash:
            reason = f"metadata.{clash[0]} is another than that of the same picture before"
        elif more and not new and not (others_metadata.keys() - metadata.keys()):
            reason = "the picture stands there already, with the same caption"
        else:
            captions += new
            metadata |= others_metadata
            split, longest = split or other.split, max(longest, other.longest)
            continue
        bad.append((other, reason))
    told, fields = _written(captions), _written(metadata)
    return first._replace(split=split, captions=told, metadata=fields, longest=longest), bad
