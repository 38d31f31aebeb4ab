"""Models that differ in nothing but their numbers, as two trainings of one architecture do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def another_model(model: Path, to: Path, only: Callable[[str], bool] = lambda _: True) -> Path:
    """A copy whose weights are others. ``only``: the names of the tensors that are."""
    shutil.copytree(model, to)
    generator = torch.Generator().manual_seed(1)
    for file in to.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            described = opened.metadata()
        for name, tensor in tensors.items():
            if only(name) and tensor.is_floating_point():
                tensors[name] = tensor + 0.01 * torch.randn(tensor.shape, generator=generator)
        before = file.read_bytes()
        save_file(tensors, file, described)
        after = file.read_bytes()
        header = 8 + int.from_bytes(before[:8], "little")
        assert len(before) == len(after)
        assert before[:header] == after[:header]
        assert before != after
    return to
