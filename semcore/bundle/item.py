"""Items of a corpus: images and texts, and the SQLite store that a bundle carries."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyroaring import BitMap

from semcore.bundle.filter import Filter, Metadata, Value
from semcore.bundle.metadata import SCHEMA, fields, listed, postings, write_metadata
from semcore.connections import Connections
from semcore.kind import KINDS, Kind
from semcore.trie import branches, places
from semcore.trie.branches import Gallery

ADDED = "added"
"""The split of items that were added to an index later; it is always in the gallery."""

_SEPARATOR = "\n"
_SCHEMA = f"""
CREATE TABLE items (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, split TEXT NOT NULL,
    pair TEXT NOT NULL,
    held_out INTEGER NOT NULL, caption TEXT NOT NULL, image TEXT NOT NULL,
    identifier TEXT NOT NULL, views TEXT NOT NULL, metadata TEXT NOT NULL
);
CREATE INDEX by_split ON items (split, kind, id);
{branches.INDEX}
{places.SCHEMA}
{SCHEMA}"""


@dataclass(frozen=True, slots=True)
class Item:
    """One image or text that can be found.

    Attributes:
        id: unique in the corpus.
        kind: "image" or "text".
        split: "train", "val" or "test".
        pair: the picture that this item belongs to; texts and images of one pair match.
        held_out: the text is no source of its picture's identifier, hence a fair query for it.
        caption: the text itself, or what the identifier of the image was made of.
        image: path of the picture below the corpus's image root; empty for a text.
        identifier: SID as text (see :class:`semcore.identifiers.identifier.Identifier`).
        views: other identifiers that lead to the same item.
        metadata: what filters are about.
    """

    id: str
    kind: Kind
    split: str
    pair: str
    held_out: bool
    caption: str
    image: str
    identifier: str
    views: tuple[str, ...] = ()
    metadata: Metadata = field(default_factory=dict, hash=False)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """All that lead to the item, the one that it is known by first."""
        return (self.identifier, *self.views)


def write_items(path: Path, items: Iterable[Item], gallery: Sequence[str] = ()) -> None:
    """Create the SQLite store at ``path``; ids must be unique.

    Items are numbered in order of id: where several share an identifier, that is their order.

    Args:
        gallery: the splits whose items can be found; the places of their identifiers are counted.
    """
    numbered = list(enumerate(sorted(items, key=lambda item: item.id)))
    with sqlite3.connect(path) as connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            f"INSERT INTO items VALUES ({', '.join('?' * 11)})",
            ((number, *_row(item)) for number, item in numbered),
        )
        write_metadata(connection, ((number, item.metadata) for number, item in numbered))
        if gallery:
            for kind in KINDS:
                places.count_places(connection, kind, gallery, connection)
            places.note_splits(connection, gallery)
    connection.close()


class ItemStore:
    """Read access to the items of a bundle, by a connection of each thread's own.

    Attributes:
        galleries: of each kind those that can be found, as a tree of identifiers.
    """

    def __init__(self, path: Path, splits: Sequence[str]) -> None:
        """``splits``: those whose items can be found (the gallery).

        Raises :class:`semcore.errors.BundleError` if the file cannot be opened.
        """
        self._connections = Connections(path)
        self._splits = tuple(splits)
        self.galleries: dict[Kind, Gallery] = {
            kind: Gallery(self._connections, kind, splits) for kind in KINDS
        }
        self._in_gallery = f"split IN ({', '.join('?' * len(self._splits))})"

    def close(self) -> None:
        self._connections.close()

    def get(self, item_id: str) -> Item | None:
        """The item of this id, of any split, or None."""
        return next(self._select("id = ?", (item_id,)), None)

    def number(self, item_id: str) -> int | None:
        """The number of the item of this id, of any split; None if there is none."""
        statement = "SELECT number FROM items WHERE id = ?"
        row = self._connection.execute(statement, (item_id,)).fetchone()
        return None if row is None else int(row[0])

    def of_numbers(self, numbers: Sequence[int]) -> list[Item]:
        """The items of these numbers, in the same order. ``KeyError`` if there is no such item."""
        # As one value: SQLite takes but so many.
        wanted = json.dumps([int(number) for number in numbers])
        where = "number IN (SELECT value FROM json_each(?))"
        found = dict(self._numbered(where, (wanted,)))
        return [found[number] for number in numbers]

    def identifiers(self, kind: Kind) -> Iterator[tuple[str, int]]:
        """All identifiers, with the number of their item, of all gallery items of a kind."""
        fields = "identifier, views, number"
        statement = f"SELECT {fields} FROM items WHERE kind = ? AND {self._in_gallery}"
        for identifier, views, number in self._connection.execute(statement, (kind, *self._splits)):
            yield identifier, number
            for view in _split(views):
                yield view, number

    def of_split(self, split: str, kind: Kind) -> Iterator[Item]:
        """All items of a split and kind, in order of id."""
        return (item for _, item in self.numbered(split, kind))

    def numbered(self, split: str, kind: Kind) -> Iterator[tuple[int, Item]]:
        """The same, with their numbers."""
        return self._numbered("split = ? AND kind = ? ORDER BY id", (split, kind))

    def numbers(self, split: str, kind: Kind) -> Iterator[int]:
        """The numbers of all items of a split and kind, in order of id."""
        statement = "SELECT number FROM items WHERE split = ? AND kind = ? ORDER BY id"
        return (number for (number,) in self._connection.execute(statement, (split, kind)))

    def listed(self, wanted: Filter) -> BitMap:
        """The numbers of the items that pass a filter."""
        return listed(self._connection, wanted, len(self))

    def fields(self) -> list[str]:
        """The names of all fields of metadata."""
        return fields(self._connection)

    def postings(self, field: str, most: int) -> dict[Value, BitMap] | None:
        """The values of a field with the numbers of their items
        (:func:`semcore.bundle.metadata.postings`)."""
        return postings(self._connection, field, most)

    def __len__(self) -> int:
        """The number of all items; they are numbered from 0."""
        (last,) = self._connection.execute("SELECT max(number) FROM items").fetchone()
        return 0 if last is None else int(last) + 1

    def __iter__(self) -> Iterator[Item]:
        return self._select("1 ORDER BY id", ())

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._connections.own

    def _select(self, where: str, values: Sequence[str]) -> Iterator[Item]:
        return (item for _, item in self._numbered(where, values))

    def _numbered(self, where: str, values: Sequence[object]) -> Iterator[tuple[int, Item]]:
        for row in self._connection.execute(f"SELECT * FROM items WHERE {where}", tuple(values)):
            number, item_id, kind, split, pair, held_out, caption, image, identifier = row[:9]
            described = item_id, kind, split, pair, bool(held_out), caption, image, identifier
            yield number, Item(*described, _split(row[9]), json.loads(row[10]))


def _row(item: Item) -> tuple[object, ...]:
    own = item.id, item.kind, item.split, item.pair, item.held_out, item.caption, item.image
    return (*own, item.identifier, _SEPARATOR.join(item.views), json.dumps(item.metadata))


def _split(views: str) -> tuple[str, ...]:
    return tuple(views.split(_SEPARATOR)) if views else ()
