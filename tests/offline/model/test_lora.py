"""Adapters lie where weights are trained, and go on from others."""

from pathlib import Path

import torch

from offline.model.backbone import keep_comparing, load_model
from offline.model.lora import merge_adapter, split_adapter, with_adapter

COMPARES = "language_model.layers.0.self_attn"


def test_what_is_not_trained_keeps_the_adapter_that_it_has(trained: Path, tmp_path: Path) -> None:
    model, _ = load_model(trained / "model")
    first = with_adapter(model, 2)
    with torch.no_grad():
        for name, weight in first.named_parameters():
            if ".lora_B." in name:
                weight.normal_()
    learned = {name: w.detach().clone() for name, w in first.named_parameters() if ".lora_" in name}
    split_adapter(first, tmp_path / "adapter")
    again, _ = load_model(trained / "model")
    keep_comparing(again)
    second = with_adapter(again, 2, tmp_path / "adapter")
    found = {name: w for name, w in second.named_parameters() if ".lora_" in name}
    assert found.keys() == learned.keys()
    for name, weight in found.items():
        assert torch.equal(weight, learned[name])
        assert weight.requires_grad == (COMPARES not in name)
    plain, _ = load_model(trained / "model")
    before = plain.model.language_model.layers[0].self_attn.q_proj.weight.clone()
    merged = merge_adapter(plain, tmp_path / "adapter")
    after = merged.model.language_model.layers[0].self_attn.q_proj.weight
    assert not torch.allclose(before, after)


def test_what_is_not_trained_gets_none(trained: Path) -> None:
    model, _ = load_model(trained / "model")
    keep_comparing(model)
    adapted = with_adapter(model, 2)
    names = [name for name, _ in adapted.named_parameters() if ".lora_" in name]
    assert names
    assert not [name for name in names if COMPARES in name]
