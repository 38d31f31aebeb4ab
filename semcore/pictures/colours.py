"""Pixels of any mode, depth and colour space as sRGB, with alpha where they have it."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from semcore.errors import PictureError

_INVERTED = 0  # TIFF's PhotometricInterpretation: white is zero
_PHOTOMETRIC = 262
_DEPTHS = {"L;2": 85, "L;4": 17}  # by which Pillow multiplies PNG's samples of 2 and 4 bits

Painter = Callable[[Image.Image], Image.Image]
Key = int | bytes | tuple[int, ...] | None


def plain(picture: Image.Image) -> Painter:
    """What turns parts of a picture into L, RGB, RGBA or CMYK of 8 bits, whose pixels may be
    averaged. It raises :class:`PictureError` of samples whose white nobody knows.

    Args:
        picture: not decoded yet, since its way of storing is forgotten with decoding.
    """
    key = _key_colour(picture)
    tags = getattr(picture, "tag_v2", {})
    is_inverted = picture.format == "TIFF" and tags.get(_PHOTOMETRIC) == _INVERTED
    return lambda part: _plain(part, key, is_inverted=is_inverted)


def to_srgb(picture: Image.Image) -> Painter:
    """What turns what :func:`plain` makes of a picture into RGB or RGBA, by the colour profile or
    gamma that it carries."""
    profile = picture.info.get("icc_profile")
    gamma = picture.info.get("gamma")
    if isinstance(profile, bytes) and profile:
        return lambda part: _by_profile(part, profile)
    if gamma and "srgb" not in picture.info and abs(gamma - 1 / 2.2) > 1e-3:
        table = _gamma_table(gamma)
        return lambda part: _by_table(_in_rgb(part), table)
    return _in_rgb


def _plain(part: Image.Image, key: Key, *, is_inverted: bool) -> Image.Image:
    mode = part.mode
    if mode in ("I", "F"):
        raise PictureError(
            "the image has samples of 32 bits, of which it is not said what is white; "
            "save it with 8 or 16 bits"
        )
    if mode.startswith("I;16"):
        return _of_16_bits(part, key, is_inverted=is_inverted)
    if key is not None and mode in ("1", "L", "P", "RGB"):
        part.info["transparency"] = key
        return part.convert("RGBA")
    if mode == "La":
        return part.convert("LA").convert("RGBA")
    if mode in ("LA", "PA", "RGBa") or (mode == "P" and _has_alpha(part)):
        return part.convert("RGBA")
    if mode == "1":
        return part.convert("L")
    return part if mode in ("L", "RGB", "RGBA", "CMYK") else part.convert("RGB")


def _has_alpha(part: Image.Image) -> bool:
    return part.palette is not None and part.palette.mode.endswith("A")


def _key_colour(picture: Image.Image) -> Key:
    """The colour, or alpha of the palette, that makes pixels transparent, as decoded pixels have
    it."""
    key: Key = picture.info.get("transparency")
    if picture.format != "PNG" or key is None:
        return key
    stored = str(picture.tile[0][3]) if getattr(picture, "tile", None) else ""  # type: ignore[attr-defined]
    if isinstance(key, int) and stored in _DEPTHS:
        return key * _DEPTHS[stored]
    if isinstance(key, tuple) and stored == "RGB;16B":
        return tuple(sample >> 8 for sample in key)
    return key


def _of_16_bits(part: Image.Image, key: Key, *, is_inverted: bool) -> Image.Image:
    samples = np.asarray(part)
    grey = ((samples.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    shown = Image.fromarray(255 - grey if is_inverted else grey)
    if not isinstance(key, int):
        return shown
    alpha = Image.fromarray(np.where(samples == key, 0, 255).astype(np.uint8))
    return Image.merge("RGBA", (shown, shown, shown, alpha))


def _in_rgb(part: Image.Image) -> Image.Image:
    return part if part.mode in ("RGB", "RGBA") else part.convert("RGB")


def _by_profile(part: Image.Image, profile: bytes) -> Image.Image:
    transform = _transform(profile, part.mode)
    if transform is None and part.mode == "L":  # grey in a profile of colours
        part = part.convert("RGB")
        transform = _transform(profile, part.mode)
    if transform is None:
        return _in_rgb(part)
    return transform.apply(part)


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """To sRGB; None where there is nothing to do, or the profile is none for such pixels."""
    target = "RGBA" if mode == "RGBA" else "RGB"
    try:
        found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if found.profile.xcolor_space.strip() == "RGB" and _is_srgb(found):
            return None
        return ImageCms.buildTransform(found, ImageCms.createProfile("sRGB"), mode, target)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    return "srgb" in (profile.profile.profile_description or "").lower()


@lru_cache(maxsize=32)
def _gamma_table(gamma: float) -> tuple[int, ...]:
    """From samples that were stored with a gamma to those of sRGB."""
    linear = (np.arange(256) / 255) ** (1 / gamma)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(np.clip(np.rint(255 * curve), 0, 255).astype(int).tolist())


def _by_table(part: Image.Image, table: tuple[int, ...]) -> Image.Image:
    same = tuple(range(256)) if part.mode == "RGBA" else ()
    return part.point([*table * 3, *same])
