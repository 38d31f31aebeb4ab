"""The one door for pictures: as a viewer shows them, upright, on white, in RGB of 8 bits."""

from __future__ import annotations

from PIL import Image
from PIL.Image import Transpose

from semcore.errors import PictureError
from semcore.pictures.colours import plain, to_srgb
from semcore.pictures.picture_format import MOST_PIXELS, read_header
from semcore.pictures.picture_source import PictureSource

_ORIENTATION = 0x0112
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}  # fmt: skip
_STRIP = 2**20  # pixels that are converted at a time: of all at once there would be several copies
_LONGEST = 16  # times the side that is needed

Box = tuple[int, int, int, int]


def open_picture(
    source: PictureSource | bytes, side: int | None = None, most_pixels: int = MOST_PIXELS
) -> Image.Image:
    """Decode a file; of an animation the first frame.

    Args:
        source: where the file lies, or its bytes.
        side: what the shorter side needs, in pixels (:func:`semcore.model.eyesight.side_seen`):
            where it has several times as many, so many are averaged to one. None: all pixels stay.
        most_pixels: of the file, said by its header.

    Raises:
        LargePictureError: the picture has more pixels.
        PictureError: the file is missing, damaged, or of no format that is taken.
        MissingExtraError: what reads the file that it is part of is not installed.
    """
    with read_header(source, most_pixels) as picture:
        try:
            return _shown(picture, side)
        except PictureError:
            raise
        except Exception as error:  # Pillow's readers raise whatever their parsing stumbles over
            raise PictureError(f"the image is damaged: {error}") from error


def _shown(picture: Image.Image, side: int | None) -> Image.Image:
    if picture.format == "PNG" and picture.info.get("default_image"):
        picture.seek(1)  # what stands before the first frame is for those who show no animations
    paint, colour = plain(picture), to_srgb(picture)
    frame, turn = _first_frame(picture), _TURNS.get(_orientation(picture))
    across, down = _factors(picture.size, side)
    picture.draft(None, (-(-picture.width // across), -(-picture.height // down)))
    picture.load()  # which turns a TIFF and a HEIC as well
    if frame is not None:
        picture, paint = _on_canvas(picture, frame), Image.Image.copy
    across, down = _factors(picture.size, side)
    shown = Image.new("RGB", (-(-picture.width // across), -(-picture.height // down)), "white")
    rows = down * max(1, _STRIP // (picture.width * down))
    for top in range(0, picture.height, rows):
        box = 0, top, picture.width, min(top + rows, picture.height)
        part = paint(picture.crop(box))
        if (across, down) != (1, 1):
            part = part.reduce((across, down))
        part = colour(part)
        mask = part if part.mode == "RGBA" else None
        shown.paste(part.convert("RGB"), (0, top // down), mask)
    shown = shown if turn is None else shown.transpose(turn)
    shown.info = {}  # else whoever reads the orientation there turns it once more
    return shown


def _factors(size: tuple[int, int], side: int | None) -> tuple[int, int]:
    """By how much width and height are divided."""
    if side is None:
        return 1, 1
    both = max(1, min(size) // side)
    most = _LONGEST * side  # else a long strip would stay as large as many pictures
    return max(both, -(-size[0] // most)), max(both, -(-size[1] // most))


def _first_frame(picture: Image.Image) -> Box | None:
    """Where the first frame of a GIF lies, if it leaves some of the canvas free."""
    if picture.format != "GIF" or "transparency" in picture.info:
        return None
    left, top, right, bottom = picture.tile[0][1]  # type: ignore[attr-defined]
    frame = int(left), int(top), int(right), int(bottom)
    return None if frame == (0, 0, *picture.size) else frame


def _on_canvas(picture: Image.Image, frame: Box) -> Image.Image:
    canvas = Image.new("RGBA", picture.size)
    canvas.paste(picture.crop(frame).convert("RGBA"), frame)
    return canvas


def _orientation(picture: Image.Image) -> int:
    """As Exif has it in front of the pixels, 1 where that cannot be read: what XMP, or a WebP, says
    of it is heeded by no browser like Chromium. Pillow's own function writes Exif anew as well, and
    fails where any other part of it is odd."""
    told = picture.info.get("exif")
    if picture.format in ("TIFF", "HEIF", "WEBP") or not told:
        return 1
    exif = Image.Exif()
    try:
        exif.load(told)
        found = exif.get(_ORIENTATION)
    except Exception:  # there are as many kinds of them as odd files
        return 1
    return found if isinstance(found, int) else 1
