"""What is fast in bfloat16 is computed in it, and nothing else."""

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from offline.model.precision import choose_attention, half_precision, is_half

PLAIN: dict[str, bool] = {"avx2": True, "avx512_f": True, "avx512_bf16": False}


@pytest.fixture
def model() -> LlamaModel:
    config = LlamaConfig(
        vocab_size=16, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=2,
    )  # fmt: skip
    return LlamaModel(config)


def has(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], *, gpu: bool = False
) -> None:
    """Let the machine have a CPU with these instructions, and maybe a GPU."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)


@pytest.mark.parametrize(
    ("capabilities", "gpu", "half"),
    [
        (PLAIN, False, False),
        ({}, False, False),
        ({**PLAIN, "avx512_bf16": True}, False, True),
        ({"amx_bf16": True}, False, True),
        (PLAIN, True, True),
    ],
)
def test_bfloat16_needs_a_machine_that_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], gpu: bool, half: bool
) -> None:
    has(monkeypatch, capabilities, gpu=gpu)
    assert is_half() == half


def test_attention_is_fused_where_that_is_fast(
    monkeypatch: pytest.MonkeyPatch, model: LlamaModel
) -> None:
    fused = model.config._attn_implementation
    assert fused != "eager"
    for capabilities, gpu in ((PLAIN, False), ({"amx_bf16": True}, True)):
        has(monkeypatch, capabilities, gpu=gpu)
        choose_attention(model)
        assert model.config._attn_implementation == fused
    has(monkeypatch, {"amx_bf16": True})
    choose_attention(model)
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize("half", [True, False])
def test_only_the_block_multiplies_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, model: LlamaModel, half: bool
) -> None:
    has(monkeypatch, {"avx512_bf16": half})
    one = torch.ones(2, 2)
    with half_precision(model):
        assert (one @ one).dtype == (torch.bfloat16 if half else torch.float32)
    assert (one @ one).dtype == torch.float32
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
