"""Parquet files hold pictures or name them; names come from where there are some."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from reading import faults, rows

from offline.corpus.layouts.layout import LayoutError
from offline.corpus.layouts.parquet import Parquet
from offline.corpus.row import Row

CELL = {"bytes": b"x", "path": "deep/a.png"}


@pytest.mark.parametrize(
    ("columns", "name", "image"),
    [
        ({"image": [CELL]}, "deep/a.png", "a.parquet//0/image"),
        ({"image": [{"bytes": b"x"}]}, "a.parquet/0", "a.parquet//0/image"),
        ({"image": [{**CELL, "path": None}]}, "a.parquet/0", "a.parquet//0/image"),
        ({"jpg": [b"x"], "key": ["0007"]}, "0007", "a.parquet//0/jpg"),
        ({"image_path": ["deep/a.png"]}, "deep/a.png", ""),
    ],
)
def test_reads_rows(columns: dict[str, Any], name: str, image: str, tmp_path: Path) -> None:
    told = {**columns, "caption": ["one"], "split": ["test"], "metadata": [{"year": 1990}]}
    parquet.write_table(pa.table(told), tmp_path / "a.parquet")
    expected = Row(1, name, "one", "test", None, {"year": 1990}, image)
    assert rows(Parquet(), tmp_path) == [expected]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    table = pa.table({"image": ["a.png"] * 3000, "text": [f"a boat {n}" for n in range(3000)]})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=1000, compression="zstd")
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    with parquet.ParquetFile(tmp_path / "a.parquet") as opened:
        column = opened.metadata.row_group(1).column(1)
        start = column.dictionary_page_offset or column.data_page_offset
    content[start + 40 : start + 400] = bytes(360)
    (tmp_path / "a.parquet").write_bytes(content)
    found = rows(Parquet(), tmp_path)
    ((line, reason),) = faults(found)
    assert line == len(found)
    assert 1000 <= line < 3000
    assert "from here on the file is damaged" in reason


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"no parquet", "is no parquet file"), (None, "has no column of pictures")],
)
def test_other_files_are_none(content: bytes | None, told: str, tmp_path: Path) -> None:
    if content is None:
        parquet.write_table(pa.table({"url": ["x"]}), tmp_path / "a.parquet")
    else:
        (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(LayoutError, match=told):
        rows(Parquet(), tmp_path)
