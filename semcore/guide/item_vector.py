"""The vector of a new item, as the offline job would have made it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from semcore.errors import PictureError
from semcore.guide.guide import Guide
from semcore.guide.vectors import Quantised, combined, quantised
from semcore.identifiers.encoder import mean_vectors
from semcore.pictures.picture import open_picture


def first_picture(folders: Iterable[Path], name: str, side: int) -> Image.Image | None:
    """The picture of a new item from the first folder where it can be read; None if it has none,
    or no folder has it.

    Args:
        name: of its file; "" of a text.
        side: what is needed of the shorter side, in pixels.
    """
    for folder in folders if name else ():
        with suppress(PictureError):
            return open_picture(folder / name, side)
    return None


def item_vector(guide: Guide, captions: Sequence[str], picture: Image.Image | None) -> Quantised:
    """unit(mean of the captions + weight · picture), quantised: int8 [dimension].

    Args:
        captions: what a picture's identifier is made of, or the one text itself.
        picture: None for a text, and where the captions alone are wanted.
    """
    told = mean_vectors(guide.encode_texts(captions), [len(captions)])
    if picture is not None and guide.sees:
        told = combined(told, guide.encode_images([picture]), guide.picture_weight)
    return np.asarray(quantised(told)[0])
