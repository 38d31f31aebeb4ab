"""Uploads are decoded upright, and what is no good picture is refused with its reason."""

import base64
import io

import pytest
from PIL import Image

from service.errors import BadImageError, ImageTooLargeError, InvalidQueryError
from service.search.query_image import bounded, read_base64, read_inline, read_upload

PIXELS = 10_000


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_names_equal_content_by_one_key() -> None:
    content = encoded(Image.new("RGB", (8, 4), "red"))
    one, same = read_upload(content, PIXELS), read_upload(content, PIXELS)
    other = read_upload(encoded(Image.new("RGB", (8, 4), "blue")), PIXELS)
    assert one.key == same.key != other.key


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_all_modes_become_rgb(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    picture = read_upload(encoded(Image.new(mode, (8, 4)), kind), PIXELS)
    assert (picture.image.mode, picture.image.size) == ("RGB", (8, 4))


def test_turns_as_the_camera_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    content = encoded(Image.new("RGB", (8, 4)), "JPEG", exif=exif)
    assert read_upload(content, PIXELS).image.size == (4, 8)


def test_takes_the_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_upload(content, PIXELS).image.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        encoded(Image.new("RGB", (90, 90)), "JPEG")[:300],
        encoded(Image.new("L", (2, 2)), "PPM"),
    ],
    ids=["empty", "text", "truncated", "unusual format"],
)
def test_refuses_what_is_no_picture(content: bytes) -> None:
    with pytest.raises(BadImageError):
        read_upload(content, PIXELS)


def test_refuses_too_many_pixels_before_decoding() -> None:
    whole = encoded(Image.new("RGB", (200, 200)))
    with pytest.raises(ImageTooLargeError, match="200 × 200"):
        read_upload(whole[:100], PIXELS)


def test_reads_base64_and_data_urls() -> None:
    content = encoded(Image.new("RGB", (8, 4)))
    told = base64.b64encode(content).decode()
    assert read_base64(told, PIXELS) == read_inline(told, PIXELS) == content
    assert read_inline(f"data:image/png;base64,{told}", PIXELS) == content
    assert bounded(content, len(content)) == content
    with pytest.raises(ImageTooLargeError):
        read_inline(told, len(content) - 1)
    for wrong in ("?", f"data:text/plain;base64,{told}", f"data:image/png,{told}"):
        with pytest.raises(InvalidQueryError):
            read_inline(wrong, PIXELS)
    with pytest.raises(InvalidQueryError):
        read_base64(f"data:image/png;base64,{told}", PIXELS)
