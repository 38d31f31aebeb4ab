"""Pictures as all parts of the product see them: upright, in RGB."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import Image
from PIL.Image import Transpose

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises where a file is missing, no picture, or damaged."""
_ORIENTATION = 0x0112
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}  # fmt: skip


def open_picture(path: Path) -> Image.Image:
    """Decode a file; of an animation the first frame. Raises one of :data:`UNREADABLE`."""
    with Image.open(path) as picture:
        return upright(picture)


def upright(picture: Image.Image) -> Image.Image:
    """Turned as the camera says, in RGB. Raises one of :data:`UNREADABLE`."""
    picture.load()
    turn = _TURNS.get(_orientation(picture))
    turned = (picture if turn is None else picture.transpose(turn)).convert("RGB")
    turned.info = {}  # else whoever reads the orientation there turns it once more
    return turned


def _orientation(picture: Image.Image) -> int:
    """As Exif has it, 1 where that cannot be read. Pillow's own function writes Exif anew as well,
    and fails where any other part of it is odd."""
    try:
        found = picture.getexif().get(_ORIENTATION)
    except (*UNREADABLE, AttributeError, KeyError, TypeError, struct.error):
        return 1
    return found if isinstance(found, int) else 1
