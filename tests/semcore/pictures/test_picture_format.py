"""The header of a picture tells its format and size, before anything is decoded."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiff_samples import tiff

from semcore.errors import LargePictureError
from semcore.pictures.picture import open_picture


def test_refuses_too_many_pixels_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(LargePictureError, match="40 × 30"):
        Image.new("L", (40, 30)).save(tmp_path / "large.png")
        open_picture(tmp_path / "large.png", most_pixels=1199)
    # A TIFF of one pixel in one tile of thousands of millions.
    content = tiff(np.zeros((1, 1, 1), np.int64), 1, 8, tile=60_000)
    with pytest.raises(LargePictureError, match="60000 × 60000"):
        open_picture(content)
