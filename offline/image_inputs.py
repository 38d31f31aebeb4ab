"""Pictures as a model takes them: pixels for its vision tower, or what a frozen encoder saw."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import ProcessorMixin

from offline.progress import progress
from semcore.model.eyesight import FROZEN, side_of
from semcore.model.frozen_vision import CHANNELS, TOKENS, FrozenVision, has_frozen_vision
from semcore.model.vision_side import VisionSide
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_source import PictureSource

_CACHE_PIXELS = 96 * 96
_CACHED_PICTURES = 10_000  # of that size 1.1 GB
_CHUNK = 64
_FEATURES, _PATHS = "features.npy", "paths.json"


class PictureReader(Protocol):
    def __call__(self, sources: Sequence[PictureSource]) -> Tensor:
        """Of each picture what the model takes, float32 [len(sources), ...]."""
        ...


class Pixels:
    """Pictures as the vision tower takes them, one tile each; small ones are kept in memory."""

    def __init__(self, processor: ProcessorMixin) -> None:
        self._processor = processor.image_processor
        self._side = side_of(self._processor.to_dict())
        self._kept: OrderedDict[PictureSource, Tensor] = OrderedDict()

    def __call__(self, sources: Sequence[PictureSource]) -> Tensor:
        """Pixel values, float32 [len(sources), 3, height, width]."""
        return torch.stack([self._one(source) for source in sources])

    def _one(self, source: PictureSource) -> Tensor:
        if source in self._kept:
            return self._kept[source]
        picture = open_picture(source, self._side)
        values = self._processor(picture, crop_to_patches=False, return_tensors="pt")
        values = torch.as_tensor(values["pixel_values"][0]).float()
        if values[0].numel() <= _CACHE_PIXELS:
            self._kept[source] = values
            if len(self._kept) > _CACHED_PICTURES:
                self._kept.popitem(last=False)
        return values


class Features:
    """What the frozen encoder saw: of the pictures in a folder written by :func:`write_features`
    from the file, which is mapped and not read whole; of others anew."""

    def __init__(self, folder: Path | None = None) -> None:
        self._rows: dict[str, int] = {}
        self._encoder: FrozenVision | None = None
        if folder is not None:
            places: list[str] = json.loads((folder / _PATHS).read_text())
            self._rows = {place: row for row, place in enumerate(places)}
            self._table = np.load(folder / _FEATURES, mmap_mode="r")

    def __call__(self, sources: Sequence[PictureSource]) -> Tensor:
        """Features, float32 [len(sources), tokens, channels]."""
        return torch.stack([self._one(source) for source in sources])

    def _one(self, source: PictureSource) -> Tensor:
        row = self._rows.get(str(source))
        if row is not None:
            return torch.from_numpy(self._table[row].astype(np.float32))
        if self._encoder is None:
            self._encoder = FrozenVision()
        return self._encoder([open_picture(source, FROZEN)])[0]


def picture_reader(processor: ProcessorMixin, model: Path, features: Path) -> PictureReader:
    """What fits the model in a folder; ``features``: what the frozen encoder saw, if it sees by
    one."""
    return Features(features) if has_frozen_vision(model) else Pixels(processor)


def write_features(sources: Sequence[PictureSource], folder: Path) -> None:
    """Write what the frozen encoder sees of each picture, float16, a chunk at a time."""
    folder.mkdir(parents=True)
    shape = (len(sources), TOKENS, CHANNELS)
    table = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        folder / _FEATURES, mode="w+", dtype=np.float16, shape=shape
    )
    row = 0
    for features in see_pictures(sources):
        table[row : row + len(features)] = features.numpy()
        row += len(features)
    table.flush()
    (folder / _PATHS).write_text(json.dumps([str(source) for source in sources]))


def see_pictures(
    sources: Sequence[PictureSource], vision: VisionSide | None = None, side: int = FROZEN
) -> Iterator[Tensor]:
    """What the vision side of a model sees, a chunk of pictures at a time, in order: float32
    [pictures of the chunk, tokens, channels].

    Args:
        vision: of the model; the frozen encoder if left out.
        side: what it needs of a picture's shorter side, in pixels.
    """
    vision = vision or FrozenVision()
    for pictures in opened_pictures(sources, side):
        yield vision(pictures)


def opened_pictures(sources: Sequence[PictureSource], side: int) -> Iterator[list[Image.Image]]:
    """Pictures, made as small as what sees them allows, a chunk at a time, in order.

    Args:
        side: what is needed of the shorter side, in pixels.
    """
    for start in progress(range(0, len(sources), _CHUNK), "looking at pictures"):
        yield [open_picture(source, side) for source in sources[start : start + _CHUNK]]
