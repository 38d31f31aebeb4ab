"""Uploaded query pictures: checked before they are decoded."""

from __future__ import annotations

import hashlib
import io
import warnings

from PIL import Image, UnidentifiedImageError

from semcore.picture import UNREADABLE, upright
from service.engine import Picture
from service.errors import BadImageError, ImageTooLargeError

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}


def read_upload(content: bytes, max_pixels: int) -> Picture:
    """Decode the bytes of a picture to RGB, upright; of an animation the first frame.

    Raises:
        ImageTooLargeError: more pixels than allowed, said by the header.
        BadImageError: no picture, a damaged one, or a format other than the usual.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's own warning has another limit than ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(content), formats=tuple(_SUFFIXES))
        with opened as picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise ImageTooLargeError(
                    f"the image has {width} × {height} pixels and at most {max_pixels} are taken; "
                    "send a smaller one"
                )
            picture.load()
            image = upright(picture)
    except UnidentifiedImageError as error:
        raise BadImageError("the file is no JPEG, PNG, WebP, GIF or BMP image") from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(f"the image is too large: {error}") from error
    except UNREADABLE as error:
        raise BadImageError(f"the image is damaged: {error}") from error
    return Picture(image, content_key(content))


def image_suffix(content: bytes) -> str:
    """The suffix of a file with the bytes of a picture that :func:`read_upload` takes."""
    with Image.open(io.BytesIO(content), formats=tuple(_SUFFIXES)) as picture:
        return _SUFFIXES[str(picture.format)]


def content_key(content: bytes) -> str:
    """What names a picture: SHA-256 of its file, in hex."""
    return hashlib.sha256(content).hexdigest()
