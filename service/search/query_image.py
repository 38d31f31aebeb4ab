"""Uploaded pictures: checked before they wait, and decoded when their turn has come."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from semcore.errors import LargePictureError, PictureError
from semcore.model.eyesight import LARGEST
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_format import picture_header
from service.engine.protocol import Picture
from service.errors import BadImageError, ImageTooLargeError, InvalidQueryError


@dataclass(frozen=True, slots=True)
class Upload:
    """The file of a query picture."""

    content: bytes


def check_upload(content: bytes, max_pixels: int) -> Upload:
    """Look at the header of a picture; nothing is decoded.

    Raises:
        ImageTooLargeError: more pixels than allowed.
        BadImageError: no picture of a format that is taken.
    """
    try:
        picture_header(content, max_pixels)
    except PictureError as error:
        raise _refused(error) from error
    return Upload(content)


def read_upload(content: bytes, max_pixels: int, side: int = LARGEST) -> Picture:
    """Decode the bytes of a picture (:func:`semcore.pictures.picture.open_picture`).

    Raises:
        ImageTooLargeError: more pixels than allowed, said by the header.
        BadImageError: no picture of a format that is taken, or a damaged one.
    """
    try:
        image = open_picture(content, side, max_pixels)
    except PictureError as error:
        raise _refused(error) from error
    return Picture(image, content_key(content))


def read_base64(image: str, max_bytes: int) -> bytes:
    """The bytes of a picture's file.

    Raises:
        InvalidQueryError: it is no base64.
        ImageTooLargeError: more bytes than allowed.
    """
    try:
        content = base64.b64decode(image, validate=True)
    except ValueError as error:
        raise InvalidQueryError(f"image is no base64: {error}") from error
    return bounded(content, max_bytes)


def read_inline(image: str, max_bytes: int) -> bytes:
    """The same of a picture that may also be a data URL."""
    if image.startswith("data:"):
        told, _, image = image.partition(",")
        if not (told.startswith("data:image/") and told.endswith(";base64")):
            raise InvalidQueryError("the data URL is of no picture in base64")
    return read_base64(image, max_bytes)


def bounded(content: bytes, max_bytes: int) -> bytes:
    """The same. Raises :class:`ImageTooLargeError` if that is more bytes than allowed."""
    if len(content) > max_bytes:
        raise ImageTooLargeError(f"the image has {len(content)} bytes and may have {max_bytes}")
    return content


def image_suffix(content: bytes) -> str:
    """The suffix of a file with the bytes of a picture that :func:`read_upload` takes."""
    return picture_header(content).format.suffixes[0]


def content_key(content: bytes) -> str:
    """What names a picture: SHA-256 of its file, in hex."""
    return hashlib.sha256(content).hexdigest()


def _refused(error: PictureError) -> BadImageError | ImageTooLargeError:
    kind = ImageTooLargeError if isinstance(error, LargePictureError) else BadImageError
    return kind(str(error))
