"""A from-scratch InternVL of a few million parameters, of the very architecture of the large ones.

Same processor, same config classes, same weights layout: what serves this model serves any
InternVL checkpoint in Hugging Face format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from offline.model.backbone import IMAGE_TOKENS, make_processor, save_model
from semcore.identifiers.encoder import Encoder
from semcore.model.prompt import identifier_prompt, verification_prompt

SIZES = {"half": (128, 3), "base": (192, 4), "wide": (256, 4), "double": (256, 8)}
"""Width and layers of the language model, by name."""
IMAGE_SIZE = 96
PATCH_SIZE = 12
_IMAGE_TOKENS = (IMAGE_SIZE // PATCH_SIZE // 2) ** 2
_COPY = 2.0
_END, _PAD, _START = "<|im_end|>", "<|endoftext|>", "<|im_start|>"


def create_tiny_model(texts: Iterable[str], out: Path, seed: int, size: str = "base") -> None:
    """Write an untrained model, its tokenizer and its processor to the folder ``out``.

    The vocabulary is learned from ``texts`` as they stand in prompts; word embeddings start from
    the sentence encoder's, reduced by PCA, so that synonyms start close to each other.

    Args:
        size: a key of :data:`SIZES`.
    """
    torch.manual_seed(seed)
    tokenizer = _train_tokenizer(_in_prompts(texts))
    model = InternVLForConditionalGeneration(_config(tokenizer, *SIZES[size]))
    _initialise_embeddings(model, tokenizer)
    _initialise_attention(model)
    _initialise_positions(model)
    save_model(model, make_processor(tokenizer, IMAGE_SIZE, _IMAGE_TOKENS), out)


def _in_prompts(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield identifier_prompt("text-to-image", text)
        yield identifier_prompt("image-to-text")
        yield verification_prompt((), text)


def _train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        special_tokens=[_PAD, _START, _END, *IMAGE_TOKENS.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_END,
        pad_token=_PAD,
        padding_side="left",
        extra_special_tokens=IMAGE_TOKENS,
    )


def _config(tokenizer: PreTrainedTokenizerFast, width: int, layers: int) -> InternVLConfig:
    text = Qwen2Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 64,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},  # InternVL's
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = {
        "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 2,
        "num_attention_heads": 4, "image_size": IMAGE_SIZE, "patch_size": PATCH_SIZE,
        # The large models' values keep so small a network near zero for most of its training.
        "layer_scale_init_value": 1.0, "initializer_range": 0.06,
    }  # fmt: skip
    return InternVLConfig(
        vision_config=vision,
        text_config=text.to_dict(),
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE_TOKENS["context_image_token"]),
        image_seq_length=_IMAGE_TOKENS,
        tie_word_embeddings=True,
    )


def _initialise_embeddings(
    model: InternVLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    words = [tokenizer.decode([token]).strip() or " " for token in range(len(tokenizer))]
    vectors = Encoder().encode(words)
    table = model.get_input_embeddings().weight
    reduced = PCA(n_components=table.shape[1], random_state=0).fit_transform(vectors)
    scaled = reduced / np.maximum(reduced.std(), 1e-6) * 0.05
    with torch.no_grad():
        table[: len(words)] = torch.from_numpy(scaled.astype(np.float32))


def _initialise_attention(model: InternVLForConditionalGeneration) -> None:
    """Let attention copy what it attends to: value and output projections multiply to a multiple
    of the identity.

    Identifiers are mostly words of the query, and a small network is slow to discover copying:
    started so, it needs a fraction of the steps. The idea is that of mimetic initialisation
    (Trockman and Kolter, 2023).
    """
    with torch.no_grad():
        for layer in model.model.language_model.layers:
            attention = layer.self_attn
            torch.nn.init.orthogonal_(attention.v_proj.weight)
            attention.o_proj.weight.copy_(_COPY * attention.v_proj.weight.T)


def _initialise_positions(model: InternVLForConditionalGeneration) -> None:
    """Sines and cosines of row and column, in place of zeros: patches know where they lie at once.

    Those of He et al. (2022, masked autoencoders) and Vaswani et al. (2017, section 3.5).
    """
    table = model.model.vision_tower.embeddings.position_embeddings  # [1, 1 + patches, hidden]
    side, width = IMAGE_SIZE // PATCH_SIZE, table.shape[-1]
    frequencies = side ** -torch.linspace(0, 1, width // 4)
    angles = 2.0 * torch.arange(side)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
    rows, columns = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    with torch.no_grad():
        table[0, 1:] = 0.7 * torch.cat([rows, columns], dim=-1).reshape(side * side, width)
