"""Pictures are seen upright, and what is damaged raises what can be caught."""

from pathlib import Path

import pytest
from PIL import Image

from semcore.picture import UNREADABLE, open_picture


def test_turns_as_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("L", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    found = open_picture(tmp_path / "turned.jpg")
    assert (found.size, found.mode) == ((4, 8), "RGB")


@pytest.mark.parametrize("place", [0, 8, 20, 60, 200])
def test_a_damaged_file_is_unreadable(tmp_path: Path, place: int) -> None:
    Image.effect_noise((40, 40), 90).save(tmp_path / "whole.png")
    content = bytearray((tmp_path / "whole.png").read_bytes())
    content[place : place + 12] = b"\xff" * 12
    (tmp_path / "damaged.png").write_bytes(content)
    with pytest.raises(UNREADABLE):
        open_picture(tmp_path / "damaged.png")
    with pytest.raises(UNREADABLE):
        open_picture(tmp_path / "missing.png")
