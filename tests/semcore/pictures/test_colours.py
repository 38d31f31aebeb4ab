"""Pixels of any mode and depth are shown as a viewer shows them, or refused."""

from pathlib import Path

import pytest
from PIL import Image

from semcore.errors import PictureError
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
