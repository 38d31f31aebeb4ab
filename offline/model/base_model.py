"""The model that training starts from, and the tokens that a bundle's identifiers add to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch

from offline.model.backbone import load_model, save_model
from offline.model.small import create_small_model
from offline.model.tiny import SIZES, create_tiny_model
from semcore.bundle.bundle import TOKENS
from semcore.model.adapter import ADAPTER, adapter_of


def create_base(base: str, captions: Iterable[str], seed: int, to: Path) -> None:
    """Write a base, as :func:`offline.training.stages.train_model` names it, to the folder ``to``.

    Raises :class:`semcore.errors.ModelError` if it cannot be made or loaded.
    """
    name, _, size = base.partition("-")
    if name == "tiny" and size in ("", *SIZES):
        create_tiny_model(captions, to, seed, size or "base")
    elif base == "small":
        create_small_model(to)
    else:
        save_model(*load_model(base), to)


def add_tokens(source: Path, to: Path, bundle: Path, seed: int) -> None:
    """The tokens that the bundle's identifiers need, each near the words that it stands for; an
    adapter that lies beside the model stays beside it."""
    model, processor = load_model(source)
    tokenizer = processor.tokenizer
    tokens: dict[str, list[str]] = json.loads((bundle / TOKENS).read_text())
    tokenizer.add_tokens(list(tokens), special_tokens=True)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=64)
    generator = torch.Generator().manual_seed(seed)
    for table in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:
        mean, spread = table.mean(0), table.std(0)
        with torch.no_grad():
            for token, words in tokens.items():
                place = tokenizer.convert_tokens_to_ids(token)
                if words:
                    text = "".join(f" {word}" for word in words)
                    table[place] = table[tokenizer.encode(text, add_special_tokens=False)].mean(0)
                else:
                    noise = torch.randn(len(mean), generator=generator)
                    table[place] = mean + spread * noise
    save_model(model, processor, to)
    adapter = adapter_of(source)
    if adapter is not None:
        shutil.copytree(adapter, to / ADAPTER)
