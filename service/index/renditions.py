"""Pictures of items as browsers take them: their files, or smaller copies, made once and kept."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from PIL import Image

from semcore.errors import PictureError
from semcore.extras import MissingExtraError
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_format import picture_header
from semcore.pictures.picture_source import PictureSource, StoredPicture
from service.cache.single_flight import SingleFlight
from service.errors import NotFoundError, OverloadedError

SIZES = (64, 128, 256, 512, 1024, 2048)
"""Of the longer side, in pixels."""
_COPIED = "image/jpeg"
_QUALITY = 85
_SMALL_FILE = 64 * 1024  # bytes: no copy would be much smaller
_THREADS = 2
_WAITING = 256  # pictures that are to be read or made smaller; further ones get 429
_log = logging.getLogger("semcore")

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Rendition:
    """``content``: the bytes, or the item's own file."""

    media_type: str
    content: bytes | Path


@dataclass(frozen=True, slots=True)
class _Copy:
    source: PictureSource
    side: int
    name: str


class Renditions:
    """Copies lie in a folder of their own, which goes with the process."""

    def __init__(self, most_bytes: int) -> None:
        """``most_bytes``: of all copies; those used last stay."""
        self._most = most_bytes
        self._bytes = 0
        self._waiting = 0
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._flights: SingleFlight[bytes] = SingleFlight()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="renditions")
        self._folder = tempfile.TemporaryDirectory(
            prefix="semcore-renditions-", ignore_cleanup_errors=True
        )

    async def of(self, source: PictureSource, size: int | None) -> Rendition:
        """A picture whose longer side has at most ``size`` pixels, rounded up to one of
        :data:`SIZES`; the file itself for None, unless browsers cannot show it. What is no file of
        this machine by itself is taken to stay as it is: a copy of it that is kept needs no look.

        Raises:
            NotFoundError: the file is gone, damaged, or no picture.
            OverloadedError: too many copies are to be made already.
        """
        try:
            if isinstance(source, StoredPicture) and size is None:
                whole = await self._in_turn(partial(_whole, source))
                if whole is not None:
                    return whole
            found = await asyncio.to_thread(_looked_at, source, size)
            if isinstance(found, Rendition):
                return found
            content = await self._read(found.name)
            if content is None:
                content, _ = await self._flights.run(found.name, partial(self._made, found))
        except PictureError as error:
            raise NotFoundError(f"the picture cannot be shown: {error}") from error
        return Rendition(_COPIED, content)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._folder.cleanup()

    async def _read(self, name: str) -> bytes | None:
        if name not in self._kept:
            return None
        self._kept.move_to_end(name)
        with suppress(OSError):
            return await asyncio.to_thread((Path(self._folder.name) / name).read_bytes)
        return None

    async def _made(self, copy: _Copy) -> bytes:
        content = await self._in_turn(partial(_content, copy))
        await self._keep(copy.name, content)
        return content

    async def _in_turn(self, work: Callable[[], _Found]) -> _Found:
        if self._waiting >= _WAITING:
            raise OverloadedError(
                "too many pictures are being read or made smaller; ask again later", 1
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    async def _keep(self, name: str, content: bytes) -> None:
        folder = Path(self._folder.name)
        try:
            await asyncio.to_thread((folder / name).write_bytes, content)
        except OSError:  # no room: it is made again when it is asked for again
            return
        self._bytes += len(content) - self._kept.pop(name, 0)
        self._kept[name] = len(content)
        while self._bytes > self._most:
            gone, size = self._kept.popitem(last=False)
            self._bytes -= size
            (folder / gone).unlink(missing_ok=True)


def _looked_at(source: PictureSource, size: int | None) -> Rendition | _Copy:
    """The file itself where that will do; nothing is read of what is no file by itself."""
    side = next((one for one in SIZES if one >= (size or SIZES[-1])), SIZES[-1])
    if isinstance(source, StoredPicture):
        return _Copy(source, side, _name(str(source), side))
    header = picture_header(source)
    stat = source.stat()
    if header.format.is_shown:
        is_small = max(header.width, header.height) <= (size or 0) and stat.st_size <= _SMALL_FILE
        if size is None or is_small:
            return Rendition(header.format.media_type, source)
    return _Copy(source, side, _name(str(source), stat.st_mtime_ns, stat.st_size, side))


def _whole(source: StoredPicture) -> Rendition | None:
    """All of a picture; None if browsers do not show it."""
    content = _read(source)
    shown = picture_header(content).format
    return Rendition(shown.media_type, content) if shown.is_shown else None


def _name(*told: str | int) -> str:
    return f"{hashlib.sha256(repr(told).encode()).hexdigest()}.jpg"


def _read(source: StoredPicture) -> bytes:
    """Raises :class:`NotFoundError`, which does not say where pictures lie: a client need not know
    that."""
    try:
        return source.read()
    except (PictureError, MissingExtraError) as error:
        _log.warning("%s", error)
        raise NotFoundError("the picture cannot be shown: it cannot be read") from error


def _content(copy: _Copy) -> bytes:
    source = copy.source
    at_hand = _read(source) if isinstance(source, StoredPicture) else source
    picture = open_picture(at_hand, copy.side)
    picture.thumbnail((copy.side, copy.side), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
