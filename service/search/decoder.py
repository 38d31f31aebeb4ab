"""Decoding: a few pictures at a time, each made as small as the model sees it."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from semcore.bundle.item import Item
from semcore.errors import PictureError
from semcore.extras import MissingExtraError
from semcore.model.eyesight import LARGEST
from semcore.pictures.picture import open_picture
from service.cache.single_flight import SingleFlight
from service.engine.protocol import Picture
from service.errors import DeadlineError
from service.index.snapshot import Snapshot
from service.search.query_image import Upload, read_upload
from service.telemetry.stopwatch import Stopwatch
from service.traffic.deadline import Deadline

_THREADS = min(
    4, os.cpu_count() or 1
)  # a picture of 50 megapixels takes 200 MB while it is decoded
_PIXEL_BYTES = 4  # that Pillow takes


class Decoder:
    """Pictures of queries and of items; those of items are kept for the searches that follow."""

    def __init__(
        self,
        side: int = LARGEST,
        max_pixels: int = 50_000_000,
        kept_bytes: int = 256_000_000,
    ) -> None:
        """
        Args:
            side: pixels of the shorter side that the model needs.
            max_pixels: of an upload.
            kept_bytes: of all decoded pictures that are kept.
        """
        self._side = side
        self._max_pixels = max_pixels
        self._most = kept_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._flights: SingleFlight[Picture | None] = SingleFlight()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="decoder")

    async def upload(self, upload: Upload) -> Picture:
        """Raises what :func:`service.search.query_image.read_upload` does."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, read_upload, upload.content, self._max_pixels, self._side
        )

    async def decoded(
        self, query: str | Picture | Upload, watch: Stopwatch, deadline: Deadline
    ) -> str | Picture:
        """A query with its picture decoded.

        Raises:
            BadImageError: the upload is damaged.
            DeadlineError: there was no time to decode it.
        """
        if not isinstance(query, Upload):
            return query
        try:
            with watch.span("tokenise"), watch.span("tokenise/decode"):
                async with asyncio.timeout(deadline.left):
                    return await self.upload(query)
        except TimeoutError as error:
            raise DeadlineError(
                "the deadline passed before the image was decoded; allow the search more time, or "
                "send a smaller one",
                by_client=deadline.by_client,
            ) from error

    async def picture(self, snapshot: Snapshot, item: Item) -> Picture | None:
        """The picture of an item; None if it is gone or cannot be read."""
        key = snapshot.picture_key(item)
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known
        found, _ = await self._flights.run(key, lambda: self._decoded(key, snapshot, item))
        return found

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _decoded(self, key: str, snapshot: Snapshot, item: Item) -> Picture | None:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _picture, key, snapshot, item, self._side
        )
        if found is not None and found.image is not None:
            self._keep(key, found)
        return found

    def _keep(self, key: str, picture: Picture) -> None:
        self._kept[key] = picture
        self._bytes += _bytes_of(picture)
        while self._bytes > self._most:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= _bytes_of(gone)


def _picture(key: str, snapshot: Snapshot, item: Item, side: int) -> Picture | None:
    tokens = snapshot.visual_tokens(item)
    if tokens is not None:
        return Picture(None, key, tokens)
    source = snapshot.picture_source(item)
    if source is None:
        return None
    try:
        return Picture(open_picture(source, side), key)
    except (PictureError, MissingExtraError):
        return None


def _bytes_of(picture: Picture) -> int:
    assert picture.image is not None
    return picture.image.width * picture.image.height * _PIXEL_BYTES
