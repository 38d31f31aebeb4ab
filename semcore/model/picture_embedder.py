"""Pictures as the visual tokens of a model that sees by a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from semcore.errors import ModelError
from semcore.model.frozen_vision import FrozenVision

_PROJECTOR = "multi_modal_projector."
_PARTS = tuple(
    f"{layer}.{part}"
    for layer in ("layer_norm", "linear_1", "linear_2")
    for part in ("weight", "bias")
)


class PictureEmbedder:
    """Frozen encoder and the projector of one model, in float32 on the CPU."""

    def __init__(self, model: Path) -> None:
        """Raises :class:`ModelError` if the checkpoint lacks the projector."""
        self._see = FrozenVision()
        self._weights = _projector(model)

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """Visual tokens, float32 [len(images), tokens, hidden]."""
        return self.project(self._see(images))

    @torch.inference_mode()
    def project(self, features: Tensor) -> Tensor:
        """Of what the encoder saw, float32 [images, tokens, channels], the visual tokens (the
        projector of InternVL: layer norm, linear, GELU, linear)."""
        norm_weight, norm_bias, weight_1, bias_1, weight_2, bias_2 = self._weights
        normed = functional.layer_norm(features, features.shape[-1:], norm_weight, norm_bias)
        hidden = functional.gelu(functional.linear(normed, weight_1, bias_1))
        return functional.linear(hidden, weight_2, bias_2).clone()


def _projector(model: Path) -> list[Tensor]:
    found: dict[str, Tensor] = {}
    for file in model.glob("*.safetensors"):
        with safe_open(str(file), "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (no mapping)
                if _PROJECTOR in name:
                    found[name.split(_PROJECTOR)[1]] = tensors.get_tensor(name).float()
    try:
        return [found[part] for part in _PARTS]
    except KeyError as error:
        raise ModelError(f"{model} lacks {_PROJECTOR}{error.args[0]}; train it again") from error
