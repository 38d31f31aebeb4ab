"""A model of the small base's kind, made from nothing: it sees by the frozen encoder."""

from pathlib import Path

import torch
from transformers import InternVLConfig, InternVLForConditionalGeneration, LlamaConfig

from offline.model.backbone import load_model, make_processor, save_model
from offline.model.tiny import create_tiny_model
from semcore.model.frozen_vision import CHANNELS, CONFIG_KEY, NAME, TOKENS


def create_frozen_model(texts: list[str], folder: Path) -> None:
    torch.manual_seed(0)
    create_tiny_model(texts, folder, seed=0)
    tiny, processor = load_model(folder)
    text = LlamaConfig(
        vocab_size=tiny.config.text_config.vocab_size,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        eos_token_id=processor.tokenizer.eos_token_id,
        pad_token_id=processor.tokenizer.pad_token_id,
    )
    vision = {
        "hidden_size": CHANNELS // 4, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 4, "image_size": 84, "patch_size": 14,
    }  # fmt: skip
    config = InternVLConfig(
        vision_config=vision,
        text_config=text.to_dict(),
        image_token_id=tiny.config.image_token_id,
        image_seq_length=TOKENS,
        tie_word_embeddings=True,
        **{CONFIG_KEY: NAME},
    )
    model = InternVLForConditionalGeneration(config)
    save_model(model, make_processor(processor.tokenizer, 84, TOKENS), folder)
