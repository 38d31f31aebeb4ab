"""Pixels of any mode, depth and colour space are shown as a viewer shows them, or refused."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from picture_sample import Samples
from PIL import Image
from png_samples import png
from samples import exchanged_profile, srgb_profile
from tiff_samples import tiff

from semcore.errors import PictureError
from semcore.pictures.colours import plain, to_srgb
from semcore.pictures.picture import open_picture

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


def shown(content: bytes) -> tuple[int, ...]:
    """The one colour of a picture, with its alpha."""
    with Image.open(io.BytesIO(content)) as picture:
        paint, colour = plain(picture), to_srgb(picture)
        picture.load()
        part = colour(paint(picture))
    assert part.mode in ("RGB", "RGBA")
    ((_, found),) = part.convert("RGBA").getcolors()
    return tuple(found)


def pixels(*samples: int) -> Samples:
    return np.full((6, 8, len(samples)), samples, dtype=np.int64)


def test_alpha_that_samples_were_multiplied_with_is_divided_out() -> None:
    for mode, samples in (("La", (50, 128)), ("RGBa", (50, 50, 50, 128))):
        part = Image.new(mode, (4, 4), samples)
        painted = plain(part)(part)
        assert (painted.mode, painted.getpixel((0, 0))) == ("RGBA", (99, 99, 99, 128))


def test_white_is_zero_where_a_tiff_says_so() -> None:
    assert shown(tiff(pixels(65_535), 1, 16)) == (255, 255, 255, 255)
    assert shown(tiff(pixels(65_535), 0, 16)) == (0, 0, 0, 255)
    assert shown(tiff(pixels(25_700), 0, 16)) == (155, 155, 155, 255)


@pytest.mark.parametrize(
    ("sample", "depth", "key"), [(1, 1, 1), (2, 2, 2), (9, 4, 9), (77, 8, 77), (40_001, 16, 40_001)]
)
def test_one_grey_of_a_png_may_be_transparent(sample: int, depth: int, key: int) -> None:
    clear = [(b"tRNS", struct.pack(">H", key))]
    other = [(b"tRNS", struct.pack(">H", key - 1))]
    assert shown(png(pixels(sample), 0, depth, before=clear))[3] == 0
    assert shown(png(pixels(sample), 0, depth, before=other))[3] == 255


@pytest.mark.parametrize(("depth", "samples"), [(8, (9, 90, 200)), (16, (2_500, 23_333, 51_400))])
def test_one_colour_of_a_png_may_be_transparent(depth: int, samples: tuple[int, ...]) -> None:
    clear = [(b"tRNS", struct.pack(">HHH", *samples))]
    assert shown(png(pixels(*samples), 2, depth, before=clear))[3] == 0
    assert shown(png(pixels(0, 0, 0), 2, depth, before=clear))[3] == 255


def test_a_colour_profile_is_heeded() -> None:
    """In one, red and blue are exchanged; what is no profile tells nothing."""
    for profile, seen in (
        (exchanged_profile(), (200, 90, 9, 255)),
        (srgb_profile(), (9, 90, 200, 255)),
        (b"no profile", (9, 90, 200, 255)),
    ):
        out = io.BytesIO()
        Image.new("RGB", (8, 6), (9, 90, 200)).save(out, "PNG", icc_profile=profile)
        found = shown(out.getvalue())
        assert max(abs(a - b) for a, b in zip(found, seen, strict=True)) <= 2


def test_a_gamma_is_heeded_where_no_srgb_is_said() -> None:
    linear = (b"gAMA", struct.pack(">I", 100_000))
    usual = (b"gAMA", struct.pack(">I", 45_455))
    # Half of the light is 188 in sRGB.
    assert shown(png(pixels(128, 0, 255), 2, 8, before=[linear])) == (188, 0, 255, 255)
    assert shown(png(pixels(128, 0, 255, 60), 6, 8, before=[linear])) == (188, 0, 255, 60)
    assert shown(png(pixels(128, 0, 255), 2, 8, before=[usual])) == (128, 0, 255, 255)
    is_srgb = (b"sRGB", b"\0")
    assert shown(png(pixels(128, 0, 255), 2, 8, before=[is_srgb, linear])) == (128, 0, 255, 255)
