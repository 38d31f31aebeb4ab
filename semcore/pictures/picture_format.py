"""The formats of pictures: one list for build, upload and serving."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

from semcore.errors import LargePictureError, PictureError
from semcore.pictures.picture_source import PictureSource, fetched

MOST_PIXELS = 180_000_000
"""Of a picture in a corpus; the service has a limit of its own for what is sent to it."""
_TILE_TAGS = 322, 323  # width and length of a TIFF's tiles


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """Attributes:
    name: as people call it.
    media_type: the registered one.
    suffixes: of files, the usual one first.
    is_shown: whether browsers show it.
    """

    name: str
    media_type: str
    suffixes: tuple[str, ...]
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """``width``, ``height``: in pixels, as they are stored."""

    format: PictureFormat
    width: int
    height: int


_JPEG = PictureFormat("JPEG", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"))
_FORMATS = {  # by Pillow's name
    "JPEG": _JPEG,
    "MPO": _JPEG,  # of many phones and cameras: a JPEG with more of them behind it
    "PNG": PictureFormat("PNG", "image/png", (".png", ".apng")),
    "WEBP": PictureFormat("WebP", "image/webp", (".webp",)),
    "GIF": PictureFormat("GIF", "image/gif", (".gif",)),
    "BMP": PictureFormat("BMP", "image/bmp", (".bmp",)),
    "AVIF": PictureFormat("AVIF", "image/avif", (".avif",)),
    "HEIF": PictureFormat("HEIC", "image/heic", (".heic", ".heif"), is_shown=False),
    "TIFF": PictureFormat("TIFF", "image/tiff", (".tif", ".tiff"), is_shown=False),
    "JPEG2000": PictureFormat(
        "JPEG 2000", "image/jp2", (".jp2", ".j2k", ".jpf", ".jpx", ".j2c"), is_shown=False
    ),
}
_READERS = tuple(name for name in _FORMATS if name != "MPO")  # whose reader is that of JPEG
SUFFIXES = frozenset(suffix for one in _FORMATS.values() for suffix in one.suffixes)
"""In lower case, with the dot."""
NAMES = ", ".join(dict.fromkeys(one.name for one in _FORMATS.values()))
"""For people, in one line."""

register_heif_opener(thumbnails=False)
# Pillow would warn, or refuse, by a limit of its own; ours is checked here. To silence the warning
# for each picture is no way: that is not safe where several threads read pictures.
Image.MAX_IMAGE_PIXELS = None


def picture_header(source: PictureSource | bytes, most_pixels: int = MOST_PIXELS) -> PictureHeader:
    """The format of a file by its content, whatever its name, and its size; nothing is decoded.

    Raises:
        LargePictureError: the header says that it has more pixels.
        PictureError: the file is missing, or of no format of the list.
        MissingExtraError: what reads the file that it is part of is not installed.
    """
    with read_header(source, most_pixels) as picture:
        return PictureHeader(_FORMATS[str(picture.format)], *picture.size)


@contextmanager
def read_header(source: PictureSource | bytes, most_pixels: int) -> Iterator[Image.Image]:
    """A picture as Pillow opens it, not decoded yet. Raises what :func:`picture_header` does."""
    content = fetched(source)
    try:
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        picture = Image.open(file, formats=_READERS)
    except UnidentifiedImageError as error:
        raise PictureError(
            f"the file is no {NAMES.replace(', ', ' or ')} image that can be read"
        ) from error
    except Exception as error:  # Pillow's readers raise whatever their parsing stumbles over
        raise PictureError(f"the image cannot be read: {error}") from error
    with picture:
        _check_size(picture, most_pixels)
        yield picture


def _check_size(picture: Image.Image, most: int) -> None:
    width, height = picture.size
    if picture.format == "TIFF":  # its tiles may be larger than itself, and are decoded whole
        across, down = (getattr(picture, "tag_v2", {}).get(tag, 0) for tag in _TILE_TAGS)
        width, height = max(width, across), max(height, down)
    if width * height > most:
        raise LargePictureError(
            f"the image has {width} × {height} pixels and at most {most} are taken; "
            "send a smaller one"
        )
