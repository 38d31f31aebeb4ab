"""In which precision is computed: bfloat16 where the machine multiplies it, else float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel


def is_half() -> bool:
    """Whether there is a GPU, or a CPU with instructions for bfloat16.

    With them a step of training takes half of its time in float32; without them, emulated, it
    takes several times as much.
    """
    able = torch.cpu.get_capabilities()
    return torch.cuda.is_available() or bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def choose_attention(model: PreTrainedModel) -> None:
    """The attention that is fast in the precision chosen: on a CPU the fused one is slow in
    bfloat16, its gradient above all."""
    if is_half() and not torch.cuda.is_available():
        model.set_attn_implementation("eager")


@contextmanager
def half_precision(model: PreTrainedModel) -> Iterator[None]:
    """Multiply in bfloat16 where that is fast; for loops that are not the trainer's."""
    choose_attention(model)
    with torch.autocast(model.device.type, torch.bfloat16, enabled=is_half()):
        yield
