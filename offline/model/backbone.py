"""The model that is trained: any InternVL in Hugging Face format."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoProcessor,
    GotOcr2ImageProcessor,
    InternVLForConditionalGeneration,
    InternVLModel,
    InternVLProcessor,
    InternVLVideoProcessor,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)
from transformers.integrations import unset_hf_deepspeed_config
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.internvl.modeling_internvl import InternVLCausalLMOutputWithPast

from semcore.errors import ModelError

IGNORED = -100
IMAGE_TOKENS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
"""Special tokens that every tokenizer of the family names."""


class _Model(InternVLModel):  # type: ignore[misc]
    """Takes what a frozen encoder saw where others take pixels."""

    def get_image_features(self, pixel_values: Tensor, **arguments: Any) -> Any:
        """``pixel_values``: pixels, float [images, 3, height, width], or features, float
        [images, tokens, channels]."""
        if pixel_values.dim() == 4:
            return super().get_image_features(pixel_values=pixel_values, **arguments)
        projected = self.multi_modal_projector(pixel_values.to(self.dtype))
        return BaseModelOutputWithPooling(pooler_output=projected)


class Backbone(InternVLForConditionalGeneration):  # type: ignore[misc]
    """InternVL that computes logits only where an answer is asked for, which is at few places.

    The vocabulary's logits at all places would take a fifth of the time of a small model, and
    several GB of memory of a large one. Made by :func:`as_backbone`, since transformers knows by
    the name of its own class how the weights of a checkpoint are called.
    """

    @wraps(InternVLForConditionalGeneration.forward)  # transformers reads the names of arguments
    def forward(self, labels: Tensor | None = None, **inputs: Any) -> Any:
        """``labels``: int64 [batch, length], :data:`IGNORED` where nothing is asked."""
        if labels is None:
            return super().forward(**inputs)
        count = inputs.pop("num_items_in_batch", None)
        hidden = self.model(**inputs)[0]
        asked = labels[:, 1:] != IGNORED
        logits = self.lm_head(hidden[:, :-1][asked]).float()
        total = functional.cross_entropy(logits, labels[:, 1:][asked], reduction="sum")
        loss = total / (asked.sum() if count is None else count)
        return InternVLCausalLMOutputWithPast(loss=loss, logits=logits.detach())

    def save_pretrained(self, save_directory: str | Path, **arguments: Any) -> None:
        """A checkpoint of the trainer's, with weights named as the trainer looks for them: under
        the names of published checkpoints it would find none, and go on from where it began."""
        super().save_pretrained(save_directory, **{"save_original_format": False, **arguments})


def load_model(folder: str | Path) -> tuple[Backbone, ProcessorMixin]:
    """A checkpoint in float32 with its processor. Raises :class:`ModelError` if it is none."""
    # After a stage with ZeRO 3 transformers would divide what is loaded among all processes, and
    # some of what follows is done by one alone; the trainer divides what it trains itself.
    unset_hf_deepspeed_config()
    try:
        processor = AutoProcessor.from_pretrained(folder)
        model = InternVLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder} is no InternVL checkpoint in Hugging Face format ({error})"
        ) from error
    return as_backbone(model), processor


def on_device(model: Backbone) -> Backbone:
    """The same model, on the GPU if there is one: for work that is not the trainer's."""
    return model.to("cuda") if torch.cuda.is_available() else model


def as_backbone(model: InternVLForConditionalGeneration) -> Backbone:
    """The same model, with the methods of a :class:`Backbone`."""
    model.__class__, model.model.__class__ = Backbone, _Model
    assert isinstance(model, Backbone)
    return model


def save_model(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    folder: Path,
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint that transformers and vLLM know as an InternVL.

    Args:
        weights: those of the model, where it does not hold them itself.
    """
    own = model.__class__
    model.__class__ = InternVLForConditionalGeneration
    try:
        model.save_pretrained(folder, state_dict=weights)
    finally:
        model.__class__ = own
    processor.save_pretrained(folder)


def make_processor(tokenizer: PreTrainedTokenizerBase, side: int, tokens: int) -> InternVLProcessor:
    """A processor for a new model, which sees each picture as one tile.

    Args:
        side: of the tile, in pixels.
        tokens: visual tokens of a tile.
    """
    size = {"height": side, "width": side}
    images = GotOcr2ImageProcessor(size=size, crop_to_patches=False, max_patches=1)
    videos = InternVLVideoProcessor(size=size)
    return InternVLProcessor(images, tokenizer, videos, image_seq_length=tokens)


def keep_seeing(model: Backbone) -> None:
    """Train no part of the vision side."""
    model.model.vision_tower.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(False)


def keep_comparing(model: Backbone) -> None:
    """Train neither the vision side nor the attention of the first layer: identifiers, learned at
    a high rate, would undo what verification needs."""
    keep_seeing(model)
    model.model.language_model.layers[0].self_attn.requires_grad_(False)
