"""Pictures are seen upright, and what is damaged raises what can be caught."""

import random
from pathlib import Path

import pytest
from elsewhere import MISSING, PLACES, put
from PIL import Image, ImageDraw, ImageOps

from semcore.errors import PictureError
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_source import picture_source


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
    with pytest.raises(PictureError):
        open_picture(tmp_path / "damaged.png")
    with pytest.raises(PictureError):
        open_picture(tmp_path / "missing.png")


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    circle = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    ImageDraw.Draw(circle).ellipse((8, 8, 31, 31), fill=(200, 30, 30, 255))
    square = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    ImageDraw.Draw(square).rectangle((8, 8, 31, 31), fill=(0, 0, 0, 255))
    for form in ("png", "webp", "tiff", "avif"):
        found = []
        for number, drawn in enumerate((circle, square)):
            options = {"lossless": True, "exact": True} if form == "webp" else {}
            drawn.save(tmp_path / f"{number}.{form}", **options)
            found.append(open_picture(tmp_path / f"{number}.{form}"))
        assert found[0].tobytes() != found[1].tobytes()
        for picture in found:
            assert min(picture.getpixel((0, 0))) >= 253
        assert max(found[1].getpixel((20, 20))) <= 2


def test_is_made_smaller_by_averaging(tmp_path: Path) -> None:
    noise = Image.effect_noise((410, 305), 90).convert("RGB")
    for form in ("png", "tiff", "bmp"):
        noise.save(tmp_path / f"noise.{form}")
        found = open_picture(tmp_path / f"noise.{form}", side=100)
        assert found.tobytes() == noise.reduce(3).tobytes()
        assert open_picture(tmp_path / f"noise.{form}", side=153).size == noise.size
    long = Image.effect_noise((4000, 20), 90)
    long.save(tmp_path / "long.png")
    assert open_picture(tmp_path / "long.png", side=16).size == (250, 20)


def test_strips_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.effect_noise((130, 97), 90)
    noise = Image.merge("RGBA", (noise, noise.rotate(180), noise, noise.rotate(180)))
    noise.save(tmp_path / "noise.png")
    for side in (None, 40, 20):
        monkeypatch.setattr("semcore.pictures.picture._STRIP", 10**9)
        whole = open_picture(tmp_path / "noise.png", side)
        monkeypatch.setattr("semcore.pictures.picture._STRIP", 500)
        assert open_picture(tmp_path / "noise.png", side).tobytes() == whole.tobytes()


@pytest.mark.parametrize("place", PLACES)
def test_opens_what_is_no_file_by_itself(tmp_path: Path, place: str) -> None:
    Image.effect_noise((40, 30), 90).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    root, images = put(place, {"0.png": b"no picture", "a.png": content}, tmp_path / "elsewhere")
    found = open_picture(picture_source(root, images["a.png"]))
    assert found.tobytes() == open_picture(content).tobytes()
    for image in (images["0.png"], MISSING[place]):
        with pytest.raises(PictureError):
            open_picture(picture_source(root, image))
