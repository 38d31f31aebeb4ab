"""Low-rank adapters on the language model, merged into it in the end or kept beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
)
from safetensors.torch import load_file, save_file

from offline.model.backbone import Backbone, as_backbone

_WEIGHTS = "adapter_model.safetensors"
_TARGETS = re.compile(r".*language_model.*\.(q|k|v|o|gate|up|down)_proj")
_PREFIX = "base_model.model."
_LEARNED_WHOLE = ["embed_tokens", "lm_head"]


def with_adapter(model: Backbone, rank: int, adapter: Path | None = None) -> PeftModel:
    """The model with adapters to train where its weights are; its embeddings learn the new tokens.

    Args:
        adapter: one to go on from, written by :func:`split_adapter`; what of it belongs to weights
            that are not trained stays as it is.
    """
    weights = {} if adapter is None else load_file(adapter / _WEIGHTS)
    adapted_before = {_adapted(name) for name in weights}
    trained = {
        name: module.weight.requires_grad
        for name, module in model.named_modules()
        if _TARGETS.fullmatch(name)
    }
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=[name for name in trained if trained[name] or name in adapted_before],
        modules_to_save=_LEARNED_WHOLE,
        ensure_weight_tying=True,
    )
    adapted = get_peft_model(model, config)
    named = {_with_name(name): value for name, value in weights.items()}
    strange = adapted.load_state_dict(named, strict=False).unexpected_keys
    assert not strange, f"{adapter} has adapters of other weights: {strange}"
    for name, parameter in adapted.named_parameters():
        if not trained.get(_adapted(name), True):
            parameter.requires_grad_(False)
    return adapted


def merge_adapter(model: Backbone, adapter: Path) -> Backbone:
    """A model that computes as it does with the adapter."""
    return merged(PeftModel.from_pretrained(model, adapter))


def merged(model: PeftModel) -> Backbone:
    return as_backbone(model.merge_and_unload())


def split_adapter(model: PeftModel, folder: Path) -> Backbone:
    """Write the adapter to ``folder`` and return the model without it.

    The embeddings that were learned stay with the model, since vLLM takes adapters of low rank
    only.
    """
    weights: dict[str, Any] = get_peft_model_state_dict(model)
    config = model.peft_config["default"]
    config.modules_to_save, config.ensure_weight_tying, config.inference_mode = None, False, True
    config.save_pretrained(str(folder))
    low_rank = {name: value for name, value in weights.items() if ".lora_" in name}
    save_file({name: value.contiguous() for name, value in low_rank.items()}, folder / _WEIGHTS)
    return as_backbone(model.unload())


def _adapted(weight: str) -> str:
    """Name, in the model, of what an adapter's weight is added to."""
    return weight.removeprefix(_PREFIX).split(".lora_")[0]


def _with_name(weight: str) -> str:
    """A weight as the model names it, whose adapter is called "default"."""
    return weight.replace(".lora_A.", ".lora_A.default.").replace(".lora_B.", ".lora_B.default.")
