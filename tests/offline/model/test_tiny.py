"""The tiny model is an InternVL like the large ones, started sensibly."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import InternVLForConditionalGeneration, ProcessorMixin

from offline.model.backbone import load_model
from offline.model.tiny import IMAGE_SIZE, create_tiny_model
from semcore.identifiers.tokens import end_token, verdict_tokens

TEXTS = ["a red boat at sea", "a crimson ship at sea", "two cats", "a house and a tree"]


@pytest.fixture(scope="module")
def tiny(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[InternVLForConditionalGeneration, ProcessorMixin]:
    folder: Path = tmp_path_factory.mktemp("tiny")
    create_tiny_model(TEXTS * 10, folder, seed=0)
    return load_model(folder)


def test_has_a_few_million_parameters_at_most(
    tiny: tuple[InternVLForConditionalGeneration, ProcessorMixin],
) -> None:
    assert sum(p.numel() for p in tiny[0].parameters()) < 6_000_000


def test_knows_the_words_of_prompts(
    tiny: tuple[InternVLForConditionalGeneration, ProcessorMixin],
) -> None:
    tokenizer = tiny[1].tokenizer
    for word in (" boat", " crimson", " cats", "Match", " text"):
        assert len(tokenizer.encode(word, add_special_tokens=False)) == 1
    assert len(set(verdict_tokens(tokenizer))) == 2
    assert end_token(tokenizer) == tokenizer.eos_token_id


def test_synonyms_start_near(tiny: tuple[InternVLForConditionalGeneration, ProcessorMixin]) -> None:
    model, processor = tiny
    table = model.get_input_embeddings().weight

    def vector(word: str) -> torch.Tensor:
        return table[processor.tokenizer.encode(word, add_special_tokens=False)[0]]

    near = torch.cosine_similarity(vector(" boat"), vector(" ship"), dim=0)
    far = torch.cosine_similarity(vector(" boat"), vector(" two"), dim=0)
    assert near > far


def test_attention_copies_from_the_start(
    tiny: tuple[InternVLForConditionalGeneration, ProcessorMixin],
) -> None:
    for layer in tiny[0].model.language_model.layers:
        attention = layer.self_attn
        passed_on = attention.o_proj.weight @ attention.v_proj.weight
        strength = passed_on[0, 0].item()
        assert strength > 1
        torch.testing.assert_close(
            passed_on, strength * torch.eye(len(passed_on)), atol=1e-4, rtol=0
        )


def test_patches_know_where_they_lie(
    tiny: tuple[InternVLForConditionalGeneration, ProcessorMixin],
) -> None:
    positions = tiny[0].model.vision_tower.embeddings.position_embeddings[0, 1:].detach()
    distances = torch.cdist(positions, positions)
    assert distances.fill_diagonal_(9.0).min() > 0.1
    side = round(len(positions) ** 0.5)
    assert distances[0, 1] == pytest.approx(float(distances[0, side]), rel=1e-4)
    assert distances[0, 1] < distances[0, 2 * side + 2]


def test_a_picture_becomes_as_many_tokens_as_the_prompt_has(
    tiny: tuple[InternVLForConditionalGeneration, ProcessorMixin],
) -> None:
    model, processor = tiny
    image = Image.new("RGB", (200, 100), "red")
    inputs = processor.image_processor(image, crop_to_patches=False, return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, IMAGE_SIZE, IMAGE_SIZE)
    features = model.model.get_image_features(pixel_values=inputs["pixel_values"])
    assert features.pooler_output.shape[1] == processor.image_seq_length
