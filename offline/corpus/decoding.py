"""Every picture is decoded once, so that what is damaged is known before anything is made of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from offline.corpus.picture import Picture
from offline.progress import progress
from semcore.errors import PictureError
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_source import picture_source

_CHECKED = 32  # pixels of the shorter side: a JPEG is then decoded at an eighth of its size
_AHEAD = 256


def damaged_pictures(root: str, pictures: Sequence[Picture]) -> dict[str, str]:
    """The pictures that cannot be decoded, by id, and why.

    Args:
        root: that they lie below.
    """
    faults: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        waiting: deque[tuple[Picture, Future[str]]] = deque()
        for picture in progress(pictures, "decoding pictures", total=len(pictures)):
            waiting.append((picture, pool.submit(_fault, root, picture)))
            if len(waiting) == _AHEAD:
                faults |= _told(waiting.popleft())
        while waiting:
            faults |= _told(waiting.popleft())
    return faults


def _told(one: tuple[Picture, Future[str]]) -> dict[str, str]:
    picture, fault = one
    return {picture.id: fault.result()} if fault.result() else {}


def _fault(root: str, picture: Picture) -> str:
    try:
        open_picture(picture_source(root, picture.image), _CHECKED)
    except PictureError as error:
        return str(error)
    return ""
