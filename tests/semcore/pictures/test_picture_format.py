"""The header of a picture tells its format and size, before anything is decoded."""

import io
from pathlib import Path

import numpy as np
import pytest
from elsewhere import put
from PIL import Image
from tiff_samples import tiff

from semcore.errors import LargePictureError, PictureError
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_format import NAMES, SUFFIXES, picture_header, read_header
from semcore.pictures.picture_source import picture_source

FORMS = {
    "JPEG": ("JPEG", "image/jpeg", True), "PNG": ("PNG", "image/png", True),
    "WEBP": ("WebP", "image/webp", True), "GIF": ("GIF", "image/gif", True),
    "BMP": ("BMP", "image/bmp", True), "AVIF": ("AVIF", "image/avif", True),
    "HEIF": ("HEIC", "image/heic", False), "TIFF": ("TIFF", "image/tiff", False),
    "JPEG2000": ("JPEG 2000", "image/jp2", False),
}  # fmt: skip


def encoded(form: str, size: tuple[int, int] = (40, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (9, 90, 190)).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_a_format_is_known_by_its_content(tmp_path: Path, form: str) -> None:
    content = encoded(form)
    root, images = put("tar", {"picture.txt": content}, tmp_path)
    misnamed = tmp_path / "picture.txt"
    misnamed.write_bytes(content)
    for source in (content, misnamed, picture_source(root, images["picture.txt"])):
        header = picture_header(source)
        found = header.format
        assert (found.name, found.media_type, found.is_shown) == FORMS[form]
        assert (header.width, header.height) == (40, 30)
        assert SUFFIXES.issuperset(found.suffixes)
    assert found.name in NAMES.split(", ")


def test_several_pictures_of_a_phone_are_a_jpeg() -> None:
    out = io.BytesIO()
    first, second = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    first.save(out, "MPO", save_all=True, append_images=[second])
    assert picture_header(out.getvalue()).format is picture_header(encoded("JPEG")).format


def test_suffixes_are_as_file_names_have_them() -> None:
    assert all(one == one.lower() and one.startswith(".") for one in SUFFIXES)
    assert {".jpg", ".png", ".webp", ".gif", ".bmp", ".avif", ".heic", ".tif", ".jp2"} < SUFFIXES
    assert len(NAMES.split(", ")) == len(FORMS)


@pytest.mark.parametrize("content", [b"", b"a text", b"<svg/>", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"])
def test_says_which_formats_are_taken(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PictureError, match=r"no JPEG or PNG or .* image|cannot be read"):
        picture_header(content)
    with pytest.raises(PictureError, match="cannot be read"):
        picture_header(tmp_path / "none.png")


def test_takes_no_format_that_is_not_listed() -> None:
    with pytest.raises(PictureError, match="no JPEG or PNG"):
        picture_header(encoded("PPM"))
    with pytest.raises(PictureError, match="no JPEG or PNG"):
        picture_header(encoded("ICO", (16, 16)))


def test_has_as_many_pixels_as_are_taken() -> None:
    content = encoded("PNG")
    assert picture_header(content, most_pixels=1200).width == 40
    with pytest.raises(LargePictureError, match="40 × 30 pixels and at most 1199 are taken"):
        picture_header(content, most_pixels=1199)


def test_a_header_is_read_of_what_cannot_be_decoded() -> None:
    content = encoded("PNG")
    half = content[: len(content) - 40]
    assert picture_header(half).height == 30
    with read_header(half, 10**6) as picture, pytest.raises(OSError, match="truncated"):
        picture.load()


def test_refuses_too_many_pixels_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(LargePictureError, match="40 × 30"):
        Image.new("L", (40, 30)).save(tmp_path / "large.png")
        open_picture(tmp_path / "large.png", most_pixels=1199)
    # A TIFF of one pixel in one tile of thousands of millions.
    content = tiff(np.zeros((1, 1, 1), np.int64), 1, 8, tile=60_000)
    with pytest.raises(LargePictureError, match="60000 × 60000"):
        open_picture(content)
