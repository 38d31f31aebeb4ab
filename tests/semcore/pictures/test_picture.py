"""Pictures are seen upright, and what is damaged raises what can be caught."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from tiff_samples import tiff

from semcore.errors import LargePictureError, PictureError
from semcore.pictures.picture import open_picture


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


SAVED = {
    "1": 1, "L": 100, "LA": (100, 128), "P": 7, "PA": (7, 128), "RGB": (10, 100, 200),
    "RGBA": (10, 100, 200, 128), "RGBa": (5, 50, 100, 128), "La": (50, 128),
    "RGBX": (10, 100, 200, 0), "CMYK": (255, 0, 0, 55), "YCbCr": (128, 128, 128),
    "HSV": (0, 255, 255), "LAB": (255, 128, 128), "I;16": 25_700, "I;16B": 25_700, "I;16L": 25_700,
    "I;16N": 25_700, "I": 100, "F": 0.5,
}  # fmt: skip
SEEN = {
    "1": (255, 255, 255), "L": (100, 100, 100), "LA": (177, 177, 177), "P": (10, 100, 200),
    "PA": (132, 177, 227), "RGB": (10, 100, 200), "RGBA": (132, 177, 227), "RGBX": (10, 100, 200),
    "CMYK": (0, 200, 200), "YCbCr": (128, 128, 128), "I;16": (100, 100, 100),
    "I;16B": (100, 100, 100), "I;16L": (100, 100, 100), "I;16N": (100, 100, 100),
    "LAB": (255, 255, 255), "HSV": (255, 0, 0), "RGBa": (132, 177, 227), "La": (177, 177, 177),
}  # fmt: skip
FORMS = {"png": 0, "tiff": 0, "webp": 0, "gif": 0, "bmp": 0, "jpg": 4, "avif": 4, "jp2": 1}


def test_all_modes_in_all_formats_are_shown_or_refused(tmp_path: Path) -> None:
    assert set(Image.MODES) == SAVED.keys()
    shown: set[str] = set()
    for mode, colour in SAVED.items():
        picture = Image.new("P" if mode in ("P", "PA") else mode, (40, 40))
        if mode in ("P", "PA"):
            picture.putpalette([0] * 21 + [10, 100, 200])
            picture.paste(7, (0, 0, 40, 40))
        if mode == "PA":
            picture = picture.convert("PA")
            picture.putalpha(Image.new("L", (40, 40), 128))
        elif mode != "P":
            picture.paste(colour, (0, 0, 40, 40))
        for form, close in FORMS.items():
            path = tmp_path / f"{mode.replace(';', '-')}.{form}"
            options = {"lossless": True, "exact": True} if form == "webp" else {}
            try:
                picture.save(path, **options)
            except (OSError, ValueError, KeyError):
                continue  # the format knows no such mode
            if mode in ("I", "F") and form == "tiff":
                with pytest.raises(PictureError, match="32 bits"):
                    open_picture(path)
                continue
            if form in ("gif", "bmp") and mode in ("LA", "PA", "RGBA", "La", "RGBa"):
                continue  # which know no half
            if mode.startswith(("I", "F")) and form not in ("png", "tiff", "jp2"):
                continue  # Pillow clips samples as it writes them
            seen = open_picture(path)
            expected = (0, 0, 0) if mode == "I" else SEEN[mode]
            pairs = zip(seen.getpixel((20, 20)), expected, strict=True)
            assert max(abs(one - other) for one, other in pairs) <= close + 1, (mode, form)
            shown.add(mode)
    assert shown >= {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "PA"}


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


def test_refuses_too_many_pixels_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(LargePictureError, match="40 × 30"):
        Image.new("L", (40, 30)).save(tmp_path / "large.png")
        open_picture(tmp_path / "large.png", most_pixels=1199)
    # A TIFF of one pixel in one tile of thousands of millions.
    content = tiff(np.zeros((1, 1, 1), np.int64), 1, 8, tile=60_000)
    with pytest.raises(LargePictureError, match="60000 × 60000"):
        open_picture(content)
