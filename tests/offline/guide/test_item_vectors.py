"""Items have vectors of what is said of them, and of what is seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from elsewhere import PLACES, put
from PIL import Image

from offline.guide.item_vectors import USUAL_WEIGHT, choose_picture_weight, encoded_items
from semcore.bundle.item import Item
from semcore.guide.guide import TextGuide
from semcore.guide.vectors import CAPTIONS, VECTORS, unit
from semcore.identifiers.encoder import Encoder

RNG = np.random.default_rng(0)


def validation(count: int) -> list[Item]:
    """Pictures, each with a held-out text."""
    pairs = [f"{number:03}" for number in range(count)]
    images = [Item(pair, "image", "val", pair, False, "", "p.png", "") for pair in pairs]
    texts = [Item(f"{pair}#1", "text", "val", pair, True, "", "", "") for pair in pairs]
    return [*images, *texts]


def noisy(vectors: np.ndarray, noise: float) -> np.ndarray:
    return unit(vectors + noise * RNG.standard_normal(vectors.shape).astype(np.float32))


def test_what_tells_pictures_apart_weighs() -> None:
    def chosen(said: float, seen: float) -> float:
        truth = unit(RNG.standard_normal((150, 32)).astype(np.float32))
        queries = noisy(truth, 0.2)
        captions = np.concatenate([noisy(truth, said), queries])
        looks = np.concatenate([noisy(truth, seen), np.zeros_like(queries)])
        return choose_picture_weight(validation(150), captions, looks)

    assert chosen(0.2, 9.0) <= 0.2
    assert chosen(9.0, 0.2) >= 1.5
    assert 0.5 <= chosen(0.4, 0.4) <= 1.5


def test_few_queries_choose_nothing() -> None:
    vectors = unit(RNG.standard_normal((198, 32)).astype(np.float32))
    assert choose_picture_weight(validation(99), vectors, vectors) == USUAL_WEIGHT
    training = [replace(item, split="train") for item in validation(99)]
    assert choose_picture_weight(training, vectors, vectors) == USUAL_WEIGHT


def test_an_encoder_of_texts_sees_no_pictures(tmp_path: Path) -> None:
    encoder = Encoder()
    items = validation(2)
    captions = encoder.encode(["a", "b", "c", "d"])
    found = encoded_items(encoder, items, captions, tmp_path)
    assert found.whole is None
    assert found.record.picture_weight == 0
    assert found.record.fingerprint == TextGuide(encoder, None, None).fingerprint
    found.save(tmp_path)
    assert not (tmp_path / CAPTIONS).exists()
    np.testing.assert_allclose(unit(np.load(tmp_path / VECTORS)), captions, atol=5e-3)


class Seeing(Encoder):
    """Sees by how red a picture is."""

    sees = True  # type: ignore[assignment]

    def encode_images(self, images: object) -> np.ndarray:
        assert isinstance(images, list)
        found = np.zeros((len(images), 384), dtype=np.float32)
        for place, image in enumerate(images):
            found[place, 0 if image.getpixel((0, 0))[0] > 100 else 1] = 1
        return found


@pytest.mark.parametrize("place", [None, *PLACES])
def test_an_encoder_that_sees_puts_looks_in(tmp_path: Path, place: str | None) -> None:
    for name, colour in (("r.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
    pictures = {name: (tmp_path / name).read_bytes() for name in ("r.png", "b.png")}
    root, named = str(tmp_path), {name: name for name in pictures}
    if place is not None:
        root, named = put(place, pictures, tmp_path / "elsewhere")
    images = validation(2)[:2]
    items = [replace(images[0], image=named["r.png"]), replace(images[1], image=named["b.png"])]
    items += validation(2)[2:]
    encoder = Seeing()
    captions = encoder.encode(["a", "b", "c", "d"])
    found = encoded_items(encoder, items, captions, root)
    assert found.whole is not None
    assert found.record.picture_weight == USUAL_WEIGHT
    difference = found.whole - captions
    assert difference[0].argmax() == 0
    assert difference[1].argmax() == 1
    np.testing.assert_allclose(found.whole[2:], captions[2:], rtol=1e-5)
    found.save(tmp_path)
    np.testing.assert_allclose(unit(np.load(tmp_path / CAPTIONS)), captions, atol=5e-3)
    np.testing.assert_allclose(unit(np.load(tmp_path / VECTORS)), found.whole, atol=5e-3)
