"""Acquaintance moves the vision tower and the words, and readies the first layer to compare."""

from pathlib import Path

import torch

from offline.corpus.corpus import Corpus
from offline.image_inputs import Pixels
from offline.model.backbone import load_model
from offline.model.tiny import create_tiny_model
from offline.training.alignment import align


def test_learns_and_leaves_the_later_layers(corpus: Corpus, tmp_path: Path) -> None:
    captions = [caption for picture in corpus.pictures for caption in picture.captions]
    create_tiny_model(captions, tmp_path / "tiny", seed=0)
    model, processor = load_model(tmp_path / "tiny")
    before = {name: value.clone() for name, value in model.named_parameters()}
    pictures = [(Path(corpus.image_root) / p.image, " ".join(p.captions)) for p in corpus.pictures]
    read = Pixels(processor)
    short = align(model, processor, pictures, read, 1.0, 1e-3, seed=0)
    moved = {
        name for name, value in model.named_parameters() if not torch.equal(value, before[name])
    }
    assert any("vision_tower" in name for name in moved)
    assert any("embed_tokens" in name for name in moved)
    layers = {name for name in moved if "language_model.layers" in name}
    assert layers
    assert all("layers.0.self_attn" in name for name in layers)
    longer = align(model, processor, pictures, read, 6.0, 1e-3, seed=1)
    assert longer < short
