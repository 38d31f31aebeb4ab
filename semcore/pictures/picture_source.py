"""Where pictures lie: files of this machine, files behind URLs, and parts of archives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from semcore.errors import PictureError
from semcore.extras import MissingExtraError

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
        except ImportError as error:
            raise PictureError(f"{self} cannot be read: install {error.name} for it") from error
        except Exception as error:  # each file system has errors of its own
            reason = str(error) or type(error).__name__
            raise PictureError(f"{self} cannot be read: {reason}") from error

    def _read(self) -> bytes:
        import fsspec

        row, _, column = self.part.partition("/")
        if column:
            return _cell(self.file, int(row), column)
        with fsspec.open(self.file, "rb") as opened:
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


def is_url(root: str | Path) -> bool:
    """Whether a root is for fsspec, and no path of this machine."""
    return isinstance(root, str) and ("://" in root or _CHAIN in root)


def below(root: str | Path, path: str) -> str:
    """The path or URL of a file below a root; of ``zip://::all.zip`` that of a member."""
    first, chain, rest = str(root).partition(_CHAIN)
    return f"{first}{'' if first.endswith('/') or not first else '/'}{path}{chain}{rest}"


def part_of(file: str, part: str) -> str:
    """The ``image`` of :func:`picture_source` that names a part of a file."""
    return f"{file}{_PART}{part}"


def _cell(file: str, row: int, column: str) -> bytes:
    import fsspec

    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("parquet files", "shared") from error
    with fsspec.open(file, "rb") as opened:
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
    import fsspec
    import pyarrow.parquet as parquet

    with fsspec.open(file, "rb") as opened:
        table = parquet.ParquetFile(opened).read_row_group(group, columns=[column])
        found: list[object] = table.column(column).to_pylist()
    return found
