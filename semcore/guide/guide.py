"""Guides: vectors of texts and pictures in one space.

A guide's cosine is evidence beside what the model generates; where nothing was trained yet, it is
all there is. Any sentence-transformers model serves. One that reads text only sees pictures by the
projection of the bundle's model (:mod:`semcore.guide.projection`), if that has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn import Module

from semcore.errors import ModelError
from semcore.guide.projection import Projection
from semcore.identifiers.encoder import Encoder, Vectors
from semcore.model.vision_side import VisionSide, open_vision_side

_SAMPLED = 64  # values at either end of a tensor
_KEPT = 2  # encoders in memory: of the index that serves, and of the one before


class Guide(Protocol):
    """Attributes:
    fingerprint: SHA-256, in hex, of all that a query's vector depends on.
    sees: whether it has vectors of pictures.
    picture_weight: of a picture's look beside the 1 of its captions.
    """

    @property
    def fingerprint(self) -> str: ...
    @property
    def sees(self) -> bool: ...
    @property
    def picture_weight(self) -> float: ...
    @property
    def vision(self) -> VisionSide | None:
        """The model's vision side, by which it sees; None where it sees by itself, or not at all.

        Raises :class:`ModelError` or :class:`MissingExtraError` that says why it cannot be opened.
        """
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit-length vectors, float32 [len(texts), dimension]."""
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Unit-length vectors, float32 [len(images), dimension].

        Raises :class:`ModelError` if it sees no pictures.
        """
        ...

    def encode_features(self, features: Tensor) -> Vectors:
        """The same of what :attr:`vision` made of pictures, float32 [images, tokens, channels]."""
        ...


class TextGuide:
    """An encoder of texts, and of pictures by a model's vision side and projection."""

    def __init__(self, encoder: Encoder, projection: Projection | None, model: Path | None) -> None:
        """``model``: the folder that the projection is of."""
        self._encoder = encoder
        self._projection = projection
        self._model = model
        self._vision: VisionSide | None = None
        own = encoder_fingerprint(encoder)
        if projection is not None and projection.encoder != own:
            raise ModelError(
                f"{model} was trained beside another text encoder than {encoder.name or 'ours'}; "
                "train it again, or build the bundle with that encoder"
            )
        told = own if projection is None else own + projection.fingerprint
        self.fingerprint = hashlib.sha256(told.encode()).hexdigest()

    @property
    def sees(self) -> bool:
        return self._projection is not None

    @property
    def picture_weight(self) -> float:
        return 0.0 if self._projection is None else self._projection.picture_weight

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        vectors = self._encoder.encode(list(texts))
        return vectors if self._projection is None else self._projection.of_texts(vectors)

    @property
    def vision(self) -> VisionSide | None:
        if self._projection is None or self._model is None:
            return None
        if self._vision is None:
            self._vision = open_vision_side(self._model)
        return self._vision

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        vision = self.vision
        if vision is None:
            raise ModelError(
                "the guide reads texts only; train a model, or build the bundle with a guide that "
                "sees pictures"
            )
        return self.encode_features(vision(images))

    def encode_features(self, features: Tensor) -> Vectors:
        assert self._projection is not None
        return np.asarray(self._projection(features).numpy(), dtype=np.float32)


class JointGuide:
    """An encoder that sees pictures itself, such as CLIP and SigLIP."""

    sees = True
    vision = None

    def __init__(self, encoder: Encoder, picture_weight: float) -> None:
        self._encoder = encoder
        self.picture_weight = picture_weight
        self.fingerprint = encoder_fingerprint(encoder)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._encoder.encode(list(texts))

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._encoder.encode_images(images)

    def encode_features(self, features: Tensor) -> Vectors:
        raise AssertionError("it sees by itself")


def open_guide(encoder: str, model: Path | None, picture_weight: float) -> Guide:
    """The guide of a bundle.

    Args:
        encoder: path or hub name of a sentence-transformers model; "" is the one installed.
        model: the folder of the bundle's model, which may have a projection.
        picture_weight: what the bundle's vectors were made with, of an encoder that sees.

    Raises:
        ModelError: the model's projection is damaged, or was trained beside another encoder.
    """
    loaded = loaded_encoder(encoder)
    if loaded.sees:
        return JointGuide(loaded, picture_weight)
    projection = None if model is None else Projection.load(model)
    return TextGuide(loaded, projection, model)


@lru_cache(maxsize=_KEPT)
def loaded_encoder(name: str) -> Encoder:
    """An encoder that all in this process share."""
    return Encoder(name)


def encoder_fingerprint(encoder: Encoder) -> str:
    """SHA-256, in hex, of a sample of each of its weights."""
    digest = hashlib.sha256()
    module: Module = encoder.model
    for name, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().flatten()
        ends = [*values[:_SAMPLED].tolist(), *values[-_SAMPLED:].tolist()]
        digest.update(repr((name, tuple(tensor.shape), ends)).encode())
    return digest.hexdigest()
