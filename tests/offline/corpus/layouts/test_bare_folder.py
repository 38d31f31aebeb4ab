"""Pictures alone are rows without captions."""

from pathlib import Path

import pytest
from reading import rows

from offline.corpus.layouts.bare_folder import BareFolder
from offline.corpus.layouts.layout import LayoutError
from offline.corpus.row import Row


def test_reads_pictures(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"there is no picture \(JPEG, PNG"):
        rows(BareFolder(), tmp_path)
    for name in ("b.avif", "val/a.jpg", "._c.jpg", "d.psd"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert rows(BareFolder(), tmp_path) == [Row(1, "b.avif"), Row(2, "val/a.jpg", None, "val")]
