"""Pictures are seen upright, and what is damaged raises what can be caught."""

import random
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from semcore.picture import UNREADABLE, open_picture


def test_turns_as_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("L", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    found = open_picture(tmp_path / "turned.jpg")
    assert (found.size, found.mode) == ((4, 8), "RGB")


def test_any_turn_is_undone(tmp_path: Path) -> None:
    picture = Image.effect_noise((8, 6), 90).convert("RGB")
    for orientation in range(10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(tmp_path / "turned.png", exif=exif)
        with Image.open(tmp_path / "turned.png") as turned:
            expected = ImageOps.exif_transpose(turned).convert("RGB")
        found = open_picture(tmp_path / "turned.png")
        assert found.tobytes() == expected.tobytes()
        assert ImageOps.exif_transpose(found).tobytes() == expected.tobytes()


@pytest.mark.filterwarnings("ignore")
def test_odd_words_of_the_camera_are_no_fault_of_the_picture(tmp_path: Path) -> None:
    rng = random.Random(0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x011A] = 6, "a boat", 72.0
    sound = exif.tobytes()
    odd = 0
    for _ in range(400):
        content = bytearray(sound)
        for _ in range(3):
            content[rng.randrange(6, len(content))] = rng.randrange(256)
        Image.new("RGB", (8, 4)).save(tmp_path / "odd.jpg", exif=bytes(content))
        assert open_picture(tmp_path / "odd.jpg").size in ((8, 4), (4, 8))
        try:
            with Image.open(tmp_path / "odd.jpg") as picture:
                ImageOps.exif_transpose(picture)
        except Exception:
            odd += 1
    assert odd  # of which Pillow's own function makes something that cannot be caught by kind


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
