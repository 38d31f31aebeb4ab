"""Where pictures lie: files of this machine, files behind URLs, and parts of archives."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import IO

from semcore.errors import PictureError
from semcore.extras import MissingExtraError
from semcore.text import one_line

_PART = "//"  # stands in no path that is plain
_CHAIN = "::"
_GROUPS = 4


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture that is no file of this machine by itself.

    Attributes:
        file: path or URL, as fsspec takes it, of the file that holds it.
        part: which part of the file: "" is all of it, ``OFFSET+LENGTH`` are bytes, as a tar has
            them, and ``ROW/COLUMN`` is a cell of a parquet file, its bytes or a struct with them.
    """

    file: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.file}{_PART}{self.part}" if self.part else self.file

    def read(self) -> bytes:
        """The bytes of the picture.

        Raises:
            PictureError: there is no such file or part.
            MissingExtraError: what reads the file is not installed.
        """
        try:
            return self._read()
        except (PictureError, MissingExtraError):
            raise
        except Exception as error:  # each file system has errors of its own
            reason = one_line(str(error)) or type(error).__name__
            raise PictureError(f"{self} cannot be read: {reason}") from error

    def _read(self) -> bytes:
        row, _, column = self.part.partition("/")
        if column:
            return _cell(self.file, int(row), column)
        with _opened(self.file) as opened:
            if not self.part:
                return bytes(opened.read())
            offset, length = map(int, self.part.split("+"))
            opened.seek(offset)
            found = bytes(opened.read(length))
        if len(found) < length:
            raise PictureError(f"{self} cannot be read: the file is shorter")
        return found


PictureSource = Path | StoredPicture


def picture_source(root: str | Path, image: str) -> PictureSource:
    """Where the picture of an item lies.

    Args:
        root: folder, or URL of one.
        image: its path below the root, and behind ``//`` the part of the file that it is, if it is
            not all of it.
    """
    file, _, part = image.partition(_PART)
    if not part and not is_url(root):
        return Path(root) / image
    return StoredPicture(below(root, file), part)


def found_below(
    root: str | Path, image: str, *, follow_links: bool = False
) -> PictureSource | None:
    """What :func:`picture_source` gives, where it lies below the root.

    Args:
        follow_links: a link below the root may lead out of it.

    Returns:
        None if ``image`` is empty or leads out of the root, or if the file should be one of this
        machine and is missing. What lies behind a URL is not looked for.
    """
    source = picture_source(root, image)
    if is_url(root):
        file, _, _ = image.partition(_PART)
        leads_out = _CHAIN in file or ".." in file.split("/")
        return source if file and not leads_out else None
    named = Path(source.file if isinstance(source, StoredPicture) else source)
    path = Path(os.path.normpath(named)) if follow_links else named.resolve()
    base = Path(root) if follow_links else Path(root).resolve()
    if not image or not path.is_file() or not path.is_relative_to(base):
        return None
    return replace(source, file=str(path)) if isinstance(source, StoredPicture) else path


def fetched(source: PictureSource | bytes) -> Path | bytes:
    """The path of a file of this machine, of anything else the bytes.

    Raises what :meth:`StoredPicture.read` raises.
    """
    return source.read() if isinstance(source, StoredPicture) else source


def is_url(root: str | Path) -> bool:
    """Whether a root is for fsspec, and no path of this machine."""
    if isinstance(root, Path) or root.startswith("/"):
        return False
    return "://" in root or _CHAIN in root


def below(root: str | Path, path: str) -> str:
    """The path or URL of a file below a root; of ``zip://::all.zip`` that of a member."""
    if not is_url(root):
        return str(Path(root) / path)
    first, chain, rest = str(root).partition(_CHAIN)
    return f"{first}{'' if first.endswith('/') or not first else '/'}{path}{chain}{rest}"


def part_of(file: str, part: str) -> str:
    """The ``image`` of :func:`picture_source` that names a part of a file."""
    return f"{file}{_PART}{part}"


def _opened(file: str) -> AbstractContextManager[IO[bytes]]:
    if not is_url(file):
        return Path(file).open("rb")
    import fsspec

    opened: AbstractContextManager[IO[bytes]] = fsspec.open(file, "rb")
    return opened


def _cell(file: str, row: int, column: str) -> bytes:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("parquet files", "shared") from error
    with _opened(file) as opened:
        metadata = parquet.ParquetFile(opened).metadata
        group = 0
        while row >= metadata.row_group(group).num_rows:
            row -= metadata.row_group(group).num_rows
            group += 1
    value = _column(file, group, column)[row]
    found = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(found, bytes):
        raise PictureError(f"{file} has no bytes of a picture there")
    return found


@lru_cache(maxsize=_GROUPS)
def _column(file: str, group: int, column: str) -> list[object]:
    """The values of a column of a row group, as whoever reads one reads its neighbours next."""
    import pyarrow.parquet as parquet

    with _opened(file) as opened:
        table = parquet.ParquetFile(opened).read_row_group(group, columns=[column])
        found: list[object] = table.column(column).to_pylist()
    return found
