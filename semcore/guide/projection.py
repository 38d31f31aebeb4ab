"""The projection: what a model sees of a picture, and what a text encoder reads, in one space.

``semcore train`` learns it, and it belongs to the model: ``guide/projection.safetensors`` in its
folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from semcore.errors import ModelError

FOLDER = "guide"
_FILE = "projection.safetensors"
_WEIGHTS = (
    "mean",
    "scale",
    "linear_1.weight",
    "linear_1.bias",
    "linear_2.weight",
    "linear_2.bias",
    "text.weight",
)


@dataclass(frozen=True, slots=True)
class Projection:
    """A perceptron with one hidden layer over the pooled tokens of a picture, and a linear map of
    the text encoder's vectors.

    Attributes:
        weights: by name; ``mean`` and ``scale``, float32 [2 · channels], make the pooled tokens
            alike in size; ``text.weight``, float32 [dimension, dimension], maps texts.
        encoder: fingerprint of the text encoder.
        picture_weight: of a picture's look beside the 1 of its captions, chosen on validation
            queries.
    """

    weights: Mapping[str, Tensor]
    encoder: str
    picture_weight: float

    @torch.inference_mode()
    def __call__(self, seen: Tensor) -> Tensor:
        """Unit-length vectors, float32 [pictures, dimension].

        Args:
            seen: float32 [pictures, tokens, channels].
        """
        return self.of_pools(pooled(seen))

    @torch.inference_mode()
    def of_pools(self, pools: Tensor) -> Tensor:
        """The same, of what :func:`pooled` gives: float32 [pictures, 2 · channels]."""
        return projected(self.weights, pools)

    @torch.inference_mode()
    def of_texts(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit-length vectors of texts, float32 [texts, dimension]; zeros stay zeros.

        Args:
            vectors: float32 [texts, dimension], of the text encoder.
        """
        mapped = mapped_texts(self.weights, torch.from_numpy(vectors))
        return np.asarray(mapped.numpy(), dtype=np.float32)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the weights."""
        digest = hashlib.sha256()
        for name in _WEIGHTS:
            digest.update(self.weights[name].contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, model: Path) -> None:
        """Write it into the folder of a model."""
        folder = model / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        notes = {"encoder": self.encoder, "picture_weight": json.dumps(self.picture_weight)}
        tensors = {name: self.weights[name].contiguous() for name in _WEIGHTS}
        save_file(tensors, folder / _FILE, metadata=notes)

    @classmethod
    def load(cls, model: Path) -> Projection | None:
        """That of the model in a folder; None if it has none.

        Raises :class:`ModelError` if it is damaged.
        """
        file = model / FOLDER / _FILE
        if not file.exists():
            return None
        try:
            with safe_open(str(file), "pt") as tensors:
                notes = tensors.metadata()
                weights = {name: tensors.get_tensor(name) for name in _WEIGHTS}
            return cls(weights, notes["encoder"], json.loads(notes["picture_weight"]))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{file} is damaged ({error}); train the model again") from error


def pooled(seen: Tensor) -> Tensor:
    """Mean and maximum over the tokens, float32 [pictures, 2 · channels]."""
    return torch.cat([seen.mean(dim=1), seen.amax(dim=1)], dim=-1)


def mapped_texts(weights: Mapping[str, Tensor], vectors: Tensor) -> Tensor:
    """The forward pass for texts, which training shares: float32 [texts, dimension]."""
    return functional.normalize(functional.linear(vectors, weights["text.weight"]), dim=-1)


def projected(weights: Mapping[str, Tensor], pools: Tensor, dropout: float = 0.0) -> Tensor:
    """The forward pass for pictures: float32 [pictures, dimension], unit length.

    Args:
        dropout: of what goes into either layer, while it learns.
    """
    values = functional.dropout((pools - weights["mean"]) * weights["scale"], dropout)
    hidden = functional.gelu(
        functional.linear(values, weights["linear_1.weight"], weights["linear_1.bias"])
    )
    hidden = functional.dropout(hidden, dropout)
    found = functional.linear(hidden, weights["linear_2.weight"], weights["linear_2.bias"])
    return functional.normalize(found, dim=-1)
