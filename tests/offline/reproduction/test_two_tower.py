"""Two towers learn, and are searched exactly."""

import sys
from pathlib import Path

import numpy as np
import pytest

from offline.corpus.corpus import Corpus
from offline.image_inputs import Pixels
from offline.model.backbone import load_model
from offline.reproduction.two_tower import TwoTower, exact_search
from semcore.bundle.item import Item
from semcore.extras import MissingExtraError
from semcore.identifiers.encoder import Encoder


def test_exact_search_finds_the_nearest() -> None:
    gallery = np.eye(4, dtype=np.float32)
    places, likeness = exact_search(gallery[[2, 0]], gallery, top_k=9)
    assert places[:, 0].tolist() == [2, 0]
    assert likeness[:, 0].tolist() == [1.0, 1.0]
    assert places.shape == (2, 4)


def test_exact_search_without_faiss_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    gallery = np.eye(4, dtype=np.float32)
    with pytest.raises(MissingExtraError, match=r"semcore\[rivals\]"):
        exact_search(gallery, gallery, top_k=1)


@pytest.mark.slow
def test_training_brings_pairs_together(
    trained: Path, training_items: list[Item], corpus: Corpus
) -> None:
    model, processor = load_model(trained / "model")
    towers = TwoTower(model, processor, Pixels(processor), corpus.image_root)
    texts = [item for item in training_items if item.kind == "text"]
    images = [item for item in training_items if item.kind == "image"]

    def rank() -> float:
        places, _ = exact_search(towers.encode(texts), towers.encode(images), len(images))
        right = [
            [images[at].pair for at in row].index(text.pair)
            for row, text in zip(places, texts, strict=True)
        ]
        return float(np.mean(right))

    before = rank()
    vectors = Encoder().encode([text.caption for text in texts])
    towers.fit(training_items, vectors, samples=4000, learning_rate=1e-3, seed=0)
    assert rank() < before / 2
