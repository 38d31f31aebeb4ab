"""Rows: what layouts tell, which the door has not judged yet, and the usual names of their
fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

Told = str | int | float | bool | None | list["Told"] | dict[str, "Told"]
"""What a file says, of whatever type."""

_IMAGE = (
    "image", "file_name", "filename", "image_name", "image_path", "image_file", "filepath",
    "file_path", "path", "file", "img", "jpg", "png",
)  # fmt: skip
_CAPTIONS = (
    "captions", "caption", "text", "texts", "sentences", "sentence", "comments", "comment",
    "description", "descriptions", "raw", "alt", "title",
)  # fmt: skip
_NUMBERED = re.compile(r"(caption|text|sentence|comment)s?[ _-]?\d+")


@dataclass(frozen=True, slots=True)
class Row:
    """A picture, or a part of what is known of it.

    Attributes:
        line: in its file, or its place from 1.
        name: path of the picture below the folder of the corpus.
        captions: one, several, or none.
        image: where the picture lies, if that is not ``name``
            (:func:`semcore.pictures.picture_source.picture_source`).
    """

    line: int
    name: Told
    captions: Told = None
    split: Told = None
    id: Told = None
    metadata: Told = None
    image: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row with a fault.

    Attributes:
        line: in its file, or its place from 1.
        reason: what the fault is.
        key: of its picture, as far as that is known.
        file: which file of the corpus the row is from.
    """

    line: int
    reason: str
    key: str = ""
    file: str = ""

    def __str__(self) -> str:
        of = f", {self.key}" if self.key else ""
        return f"at {self.line} of {self.file or 'the folder'}{of}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns, or of fields, in place of those that are usual.

    Attributes:
        captions: several, if each row has several captions.
        metadata: columns that become metadata of the picture.
    """

    image: str = ""
    captions: tuple[str, ...] = ()
    split: str = ""
    metadata: tuple[str, ...] = ()


def row_of(
    line: int,
    record: Mapping[str, Told],
    columns: Columns,
    split: str = "",
    *,
    has_id: bool = False,
) -> Row:
    """The row that a record is.

    Args:
        record: fields by name.
        split: where the record does not say.
        has_id: its field ``id`` is that of the picture; elsewhere it may be that of a caption.
    """
    fields = _fields(tuple(record), columns)
    metadata = record.get(fields.metadata)
    if columns.metadata:
        metadata = {name: record.get(name) for name in columns.metadata}
    return Row(
        line,
        record.get(fields.image),
        _captions(record, fields.captions),
        record.get(fields.split) or split or None,
        record.get("id") if has_id else None,
        metadata,
    )


def image_field(fields: Sequence[str], columns: Columns) -> str:
    """The name of the field that names or holds pictures; empty if there is none."""
    if columns.image:
        return columns.image if columns.image in fields else ""
    return _first({name.strip().lower(): name for name in fields}, _IMAGE)


def caption_fields(fields: Sequence[str], columns: Columns) -> list[str]:
    """The names of the fields that hold captions."""
    names = {name.strip().lower(): name for name in fields}
    if columns.captions:
        return [name for name in columns.captions if name in fields]
    numbered = [name for low, name in names.items() if _NUMBERED.fullmatch(low)]
    own = [names[low] for low in ("captions", "caption") if low in names]
    first = _first(names, _CAPTIONS)
    return own or numbered or ([first] if first else [])


class _Fields(NamedTuple):
    """Names of fields; "" of those that are not there."""

    image: str
    captions: Sequence[str]
    split: str
    metadata: str


@lru_cache(maxsize=64)
def _fields(names: tuple[str, ...], columns: Columns) -> _Fields:
    """Where a record with these fields has what."""
    lower = {name.strip().lower(): name for name in names}
    return _Fields(
        image_field(names, columns),
        caption_fields(names, columns),
        columns.split or lower.get("split", ""),
        lower.get("metadata", ""),
    )


def _captions(record: Mapping[str, Told], fields: Sequence[str]) -> Told:
    if len(fields) == 1:
        return record[fields[0]]
    found: list[Told] = []
    for field in fields:
        value = record[field]
        found += value if isinstance(value, list) else [value]
    return found


def _first(names: Mapping[str, str], wanted: Sequence[str]) -> str:
    return next((names[one] for one in wanted if one in names), "")
