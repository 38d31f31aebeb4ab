"""Uploaded pictures: checked before they wait, and decoded when their turn has come."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from semcore.errors import LargePictureError, PictureError
from semcore.model.eyesight import LARGEST
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_format import picture_header
from service.engine.protocol import Picture
from service.errors import BadImageError, ImageTooLargeError


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


def image_suffix(content: bytes) -> str:
    """The suffix of a file with the bytes of a picture that :func:`read_upload` takes."""
    return picture_header(content).format.suffixes[0]


def content_key(content: bytes) -> str:
    """What names a picture: SHA-256 of its file, in hex."""
    return hashlib.sha256(content).hexdigest()


def _refused(error: PictureError) -> BadImageError | ImageTooLargeError:
    kind = ImageTooLargeError if isinstance(error, LargePictureError) else BadImageError
    return kind(str(error))
