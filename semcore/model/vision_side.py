"""The vision side of a model by itself: what of a picture reaches its language model.

Of a model that sees by the frozen encoder that is what the encoder saw; of any other InternVL the
visual tokens that its tower and projector make.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor, InternVLModel

from semcore.errors import ModelError
from semcore.model.frozen_vision import FrozenVision, has_frozen_vision

_PARTS = "vision_tower.", "multi_modal_projector."
_BATCH = 16


class VisionSide(Protocol):
    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """Of each picture what the model sees, float32 [len(images), tokens, channels]."""
        ...


def open_vision_side(model: Path) -> VisionSide:
    """That of the model in a folder.

    Raises:
        ModelError: the folder holds no InternVL.
        MissingExtraError: the packages with the frozen encoder are not installed.
    """
    return FrozenVision() if has_frozen_vision(model) else VisionTower(model)


class VisionTower:
    """Tower and projector of an InternVL in Hugging Face format, in float32, on the GPU if there is
    one; a picture is one tile."""

    def __init__(self, model: Path) -> None:
        """Raises :class:`ModelError` if the folder holds none."""
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            with torch.device("meta"):  # the language model is never made
                self._model = InternVLModel(AutoConfig.from_pretrained(model)).eval()
            found = self._model.load_state_dict(_weights(model), strict=False, assign=True)
            self._processor = AutoImageProcessor.from_pretrained(model)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"{model} is no InternVL that sees ({error})") from error
        if missing := [name for name in found.missing_keys if name.startswith(_PARTS)]:
            raise ModelError(f"{model} lacks {missing[0]} and cannot see; train it again")
        self._model.requires_grad_(False)

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        seen = []
        for start in range(0, len(images), _BATCH):
            batch = [image.convert("RGB") for image in images[start : start + _BATCH]]
            values = self._processor(batch, crop_to_patches=False, return_tensors="pt")
            pixels = torch.as_tensor(values["pixel_values"]).float().to(self._device)
            seen.append(self._model.get_image_features(pixel_values=pixels).pooler_output.cpu())
        return torch.cat(seen).clone()


def _weights(model: Path) -> dict[str, Tensor]:
    """Those of tower and projector, by the names that they have within an ``InternVLModel``."""
    found = {}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for file in model.glob("*.safetensors"):
        with safe_open(str(file), "pt", device=device) as tensors:
            for name in tensors.keys():  # noqa: SIM118 (no mapping)
                own = name.removeprefix("model.")
                if own.startswith(_PARTS):
                    found[own] = tensors.get_tensor(name).float()
    return found
