"""Pictures as all parts of the product see them: upright, in RGB."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises where a file is missing, no picture, or damaged."""


def open_picture(path: Path) -> Image.Image:
    """Decode a file; of an animation the first frame. Raises one of :data:`UNREADABLE`."""
    with Image.open(path) as picture:
        return upright(picture)


def upright(picture: Image.Image) -> Image.Image:
    """Turned as the camera says, in RGB. Raises one of :data:`UNREADABLE`."""
    return ImageOps.exif_transpose(picture).convert("RGB")
