"""Documents compared with a query by the guide."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from semcore.guide.guide import Guide
from semcore.guide.vectors import combined, unit
from semcore.identifiers.encoder import Vectors
from service.engine.protocol import Picture
from service.errors import InvalidQueryError
from service.index.lookup import in_threads
from service.index.snapshot import Snapshot
from service.rerank.documents import Given, place_of

_THREADS = 2
_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rerank")


async def document_cosines(
    snapshot: Snapshot,
    query: Given,
    documents: Sequence[Given],
    pictures: Sequence[Picture | None],
) -> list[float]:
    """The cosine of each document.

    Args:
        pictures: of the query and then of the documents; None where one has none, or is an item,
            whose vector the index has.

    Raises:
        InvalidQueryError: the guide does not see a picture by itself, or an item has no vector.
        BundleError, ModelError: see :attr:`service.index.open_bundle.OpenBundle.guide`.
    """
    images = [None if picture is None else picture.image for picture in pictures]
    return await in_threads(_threads, _cosines, snapshot, [query, *documents], images)


def _cosines(
    snapshot: Snapshot, given: Sequence[Given], images: Sequence[Image.Image | None]
) -> list[float]:
    guide = snapshot.guide
    assert guide is not None
    if not guide.sees:
        for number, one in enumerate(given):
            if one.item is None and not one.text:
                raise InvalidQueryError(
                    f"{place_of(number)}: the guide of this index reads texts only; describe the "
                    "picture by a text, or build the index with a guide that sees pictures"
                )
    encoded = _encoded(guide, given, images, snapshot.table.shape[1])
    items = [place for place, one in enumerate(given) if one.number is not None]
    if items:
        numbers = [one.number for one in given if one.number is not None]
        encoded[items] = unit(snapshot.vectors_of(numbers))
    for number, vector in enumerate(encoded):
        if not vector.any():
            raise InvalidQueryError(
                f"{place_of(number)}: the item has no vector, by which it could be compared; add "
                "it again, or build the index anew"
            )
    found: list[float] = (encoded[1:] @ encoded[0]).tolist()
    return found


def _encoded(
    guide: Guide, given: Sequence[Given], images: Sequence[Image.Image | None], dimension: int
) -> Vectors:
    """Unit-length vectors, float32 [len(given), dimension]; zeros of items."""
    texts = {place: one.text for place, one in enumerate(given) if one.text and one.number is None}
    shown = {place: image for place, image in enumerate(images) if image is not None and guide.sees}
    captions, pictures = (np.zeros((len(given), dimension), np.float32) for _ in range(2))
    if texts:
        captions[[*texts]] = guide.encode_texts([*texts.values()])
    if shown:
        pictures[[*shown]] = guide.encode_images([*shown.values()])
    return combined(captions, pictures, guide.picture_weight)
