"""A picture that was made from a seed, and what its makers share."""

import io
import random
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Samples = NDArray[np.integer]


@dataclass(frozen=True)
class Sample:
    """Attributes:
    kind: what it is one of.
    shown: what a viewer shows, uint8 [height, width, 3]; None: ask a browser.
    tolerance: mean difference of samples that codecs may have between them.
    refusable: a refusal is right as well.
    is_judged: a browser shows it right, if it shows it.
    """

    kind: str
    content: bytes
    shown: Samples | None = None
    tolerance: float = 1.0
    refusable: bool = False
    is_judged: bool = True


def drawing(rng: random.Random, bands: int, top: int = 255, *, least: int = 6) -> Samples:
    """Waves and a block, integers from 0 to ``top`` [height, width, bands]."""
    width, height = rng.randrange(least, 60), rng.randrange(least, 60)
    y, x = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(x / rng.uniform(4, 14) + y / rng.uniform(4, 14) + rng.random() * 6)
        for _ in range(bands)
    ]
    values = (np.stack(waves, axis=-1) + 1) / 2
    left, upper = rng.randrange(width), rng.randrange(height)
    values[upper : upper + height // 3, left : left + width // 3] = [
        rng.choice([0, 1, rng.random()]) for _ in range(bands)
    ]
    return np.rint(values * top).astype(np.int64)


def on_white(samples: Samples, alpha: Samples) -> Samples:
    share = alpha[..., None] / 255
    return np.rint(samples * share + 255 * (1 - share)).astype(np.uint8)


def turned(shown: Samples, orientation: int) -> Samples:
    """By the table of Exif: where the stored rows and columns belong."""
    if orientation >= 5:
        shown = shown.transpose(1, 0, 2)
    mirrored = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}
    return np.flip(shown, mirrored.get(orientation, ()))


def encoded(samples: Samples, mode: str, form: str, **options: object) -> bytes:
    array = samples.astype(np.uint8)
    image = Image.fromarray(array[..., 0] if mode in ("L", "P") else array, mode=None)
    if mode in ("CMYK", "YCbCr"):
        image = Image.frombytes(mode, image.size, array.tobytes())
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    offset = struct.pack(order + "I", 8)
    return b"Exif\0\0" + mark + offset + struct.pack(order + "H", 1) + entry + b"\0" * 4
