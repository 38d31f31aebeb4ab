"""The vector of a new item, as the offline job would have made it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from semcore.guide.guide import Guide
from semcore.guide.vectors import Quantised, combined, quantised
from semcore.identifiers.encoder import mean_vectors


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
