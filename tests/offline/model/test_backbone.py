"""The backbone learns as any InternVL does, and its checkpoints are those of one."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch.nn import functional
from transformers import InternVLForConditionalGeneration, ProcessorMixin

from offline.model.backbone import (
    IGNORED,
    Backbone,
    keep_comparing,
    keep_seeing,
    load_model,
    make_processor,
    save_model,
)
from offline.model.tiny import create_tiny_model
from semcore.errors import ModelError

TEXTS = ["a red boat at sea", "two cats", "a house and a tree"]
ATTENTION = "language_model.layers.0.self_attn"
SEEING = ("vision_tower", "multi_modal_projector")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("tiny")
    create_tiny_model(TEXTS * 10, path, seed=0)
    return path


@pytest.fixture
def loaded(folder: Path) -> tuple[Backbone, ProcessorMixin]:
    return load_model(folder)


def batch(processor: ProcessorMixin) -> dict[str, torch.Tensor]:
    """Texts of which the last two tokens are the answer."""
    inputs = processor.tokenizer(TEXTS, padding=True, padding_side="left", return_tensors="pt")
    labels = inputs["input_ids"].clone()
    labels[:, :-2] = IGNORED
    labels[0, -1] = IGNORED
    return {**inputs, "labels": labels}


def test_logits_are_computed_where_an_answer_is_asked_for(
    loaded: tuple[Backbone, ProcessorMixin],
) -> None:
    model, processor = loaded
    inputs = batch(processor)
    found = model(**inputs)
    labels = inputs.pop("labels")
    whole = model(**inputs).logits
    asked = labels[:, 1:] != IGNORED
    expected = whole[:, :-1][asked]
    assert expected.shape == found.logits.shape == (5, whole.shape[-1])
    torch.testing.assert_close(found.logits, expected, atol=1e-4, rtol=1e-4)
    loss = functional.cross_entropy(expected, labels[:, 1:][asked])
    torch.testing.assert_close(found.loss, loss, atol=1e-4, rtol=1e-4)
    # Over several steps, the trainer counts the answers of all of them.
    over = model(**inputs, labels=labels, num_items_in_batch=20)
    torch.testing.assert_close(over.loss, loss * 5 / 20, atol=1e-4, rtol=1e-4)
    over.loss.backward()
    assert model.lm_head.weight.grad is not None


def test_features_are_taken_where_others_take_pixels(
    loaded: tuple[Backbone, ProcessorMixin],
) -> None:
    model, _ = loaded
    projector = model.model.multi_modal_projector
    features = torch.randn(2, 9, projector.linear_1.in_features)
    found = model.model.get_image_features(features).pooler_output
    torch.testing.assert_close(found, projector(features))
    pixels = model.model.get_image_features(torch.rand(2, 3, 96, 96)).pooler_output
    assert pixels.shape == (2, 16, found.shape[-1])


def test_what_is_saved_is_an_internvl(
    loaded: tuple[Backbone, ProcessorMixin], tmp_path: Path
) -> None:
    model, processor = loaded
    save_model(model, processor, tmp_path)
    assert isinstance(model, Backbone)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["InternVLForConditionalGeneration"]
    again, read = load_model(tmp_path)
    for name, weight in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    assert read.tokenizer.get_vocab() == processor.tokenizer.get_vocab()
    assert read.image_seq_length == processor.image_seq_length


def test_weights_may_be_held_elsewhere(
    loaded: tuple[Backbone, ProcessorMixin], tmp_path: Path
) -> None:
    model, processor = loaded
    save_model(model, processor, tmp_path, {n: w + 1 for n, w in model.state_dict().items()})
    again, _ = load_model(tmp_path)
    name = "model.language_model.norm.weight"
    torch.testing.assert_close(again.state_dict()[name], model.state_dict()[name] + 1)


def test_a_model_that_cannot_be_saved_stays_what_it_was(
    loaded: tuple[Backbone, ProcessorMixin], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    model, processor = loaded
    monkeypatch.setattr(InternVLForConditionalGeneration, "save_pretrained", full)
    with pytest.raises(OSError, match="no space left"):
        save_model(model, processor, tmp_path)
    assert isinstance(model, Backbone)


def test_the_trainer_finds_its_checkpoint_by_the_names_of_weights(
    loaded: tuple[Backbone, ProcessorMixin], tmp_path: Path
) -> None:
    model, _ = loaded
    model.save_pretrained(tmp_path)
    names: set[str] = set()
    for file in tmp_path.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            names |= set(tensors.keys())
    assert names
    assert names <= model.state_dict().keys()


@pytest.mark.parametrize("config", [None, "{", "{}", '{"model_type": "unheard of"}'])
def test_names_what_is_no_checkpoint(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=f"{tmp_path} is no InternVL checkpoint"):
        load_model(tmp_path)


def test_what_is_kept_is_not_trained(loaded: tuple[Backbone, ProcessorMixin]) -> None:
    model, _ = loaded

    def trained(names: tuple[str, ...]) -> set[bool]:
        return {w.requires_grad for n, w in model.named_parameters() if any(p in n for p in names)}

    assert trained((*SEEING, ATTENTION)) == {True}
    keep_seeing(model)
    assert (trained(SEEING), trained((ATTENTION,))) == ({False}, {True})
    keep_comparing(model)
    assert trained((*SEEING, ATTENTION)) == {False}
    assert trained(("layers.1", "layers.0.mlp", "embed_tokens")) == {True}


def test_a_new_processor_sees_each_picture_as_one_tile(
    loaded: tuple[Backbone, ProcessorMixin],
) -> None:
    processor = make_processor(loaded[1].tokenizer, 64, 4)
    for size in ((500, 60), (10, 10)):
        found = processor.image_processor(Image.new("RGB", size), return_tensors="pt")
        assert found["pixel_values"].shape == (1, 3, 64, 64)
    assert processor.image_seq_length == 4
