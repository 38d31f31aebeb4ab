"""Words attend to the visual token that is like them, and to the first token if there is none."""

from pathlib import Path

import torch
from torch import Tensor
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb

from offline.model.attention_init import start_comparing
from offline.model.backbone import load_model
from offline.model.tiny import create_tiny_model

TEXTS = ["a red boat at sea", "two black cats", "a house and a green tree", "one yellow sun"]


def attention(model: torch.nn.Module, embedded: Tensor) -> Tensor:
    """Weights of the first layer, float [heads, length, length]."""
    language = model.model.language_model
    layer = language.layers[0]
    length, width = len(embedded), layer.self_attn.head_dim
    hidden = layer.input_layernorm(embedded[None])
    queries, keys = (
        projection(hidden).view(1, length, -1, width).transpose(1, 2)
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj)
    )
    waves = language.rotary_emb(hidden, torch.arange(length)[None])
    queries, keys = apply_rotary_pos_emb(queries, keys, *waves)
    scores = queries @ keys.transpose(-1, -2) / width**0.5
    return scores[0].softmax(-1)


def test_words_find_their_like(tmp_path: Path) -> None:
    create_tiny_model(TEXTS * 10, tmp_path / "tiny", seed=0)
    model, processor = load_model(tmp_path / "tiny")
    tokenizer = processor.tokenizer
    torch.manual_seed(0)
    start_comparing(model, tokenizer, length=1.0)
    table = model.get_input_embeddings().weight.detach()
    ids = tokenizer.encode(" boat red tree", add_special_tokens=False)
    boat, red = torch.nn.functional.normalize(table[ids[:2]], dim=-1)
    marked = model.model.multi_modal_projector.linear_2.bias.detach()
    start = table[tokenizer.convert_tokens_to_ids("<|im_start|>")]
    visual = [boat + marked, red + marked]
    weights = attention(model, torch.stack([start, *visual, table[ids[0]], table[ids[2]]]))
    with_like, without = weights[:, 3].mean(0), weights[:, 4].mean(0)
    assert with_like[1] > with_like[2]
    assert without[0] > with_like[0]
    assert weights[:, 3:, :3].sum(-1).mean(0).min() > 0.8


def test_pictures_keep_what_they_say_of_words(tmp_path: Path) -> None:
    create_tiny_model(TEXTS * 10, tmp_path / "tiny", seed=0)
    model, processor = load_model(tmp_path / "tiny")
    pixels = torch.rand(2, 3, 96, 96)
    before = model.model.get_image_features(pixel_values=pixels).pooler_output
    start_comparing(model, processor.tokenizer, length=1.0)
    after = model.model.get_image_features(pixel_values=pixels).pooler_output
    change = (after - before).flatten(0, 1)
    assert torch.linalg.matrix_rank(change, rtol=1e-3) == 1
