"""A table of visual tokens gives each picture its own, and none to others."""

from pathlib import Path

import pytest
import torch

from semcore.bundle.picture_table import PICTURE_FILES, PictureTable, write_picture_table
from semcore.errors import BundleError


def test_each_picture_has_its_own_row(tmp_path: Path) -> None:
    ids = ["a", "b/2", "b/10", "ü"]
    ids.sort(key=str.encode)
    tokens = torch.randn(4, 3, 8)
    write_picture_table(tmp_path, ids, (tokens[:3], tokens[3:]))
    table = PictureTable(tmp_path)
    for name, expected in zip(ids, tokens, strict=True):
        found = table.get(name)
        assert found is not None
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-2)
    assert table.get("b") is None
    assert table.get("z") is None


def test_says_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="train the bundle again"):
        PictureTable(tmp_path)
    for name in PICTURE_FILES:
        write_picture_table(tmp_path, ["a"], [torch.randn(1, 3, 8)])
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(BundleError, match="train the bundle again"):
            PictureTable(tmp_path)
