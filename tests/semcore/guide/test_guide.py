"""A guide reads texts, and sees pictures itself or by the projection of a model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from offline.corpus.corpus import Corpus
from semcore.errors import ModelError
from semcore.guide.guide import (
    JointGuide,
    TextGuide,
    encoder_fingerprint,
    loaded_encoder,
    open_guide,
)
from semcore.guide.projection import Projection
from semcore.identifiers.encoder import Vectors
from semcore.pictures.picture import open_picture


def test_one_that_reads_texts_only_says_so() -> None:
    guide = open_guide("", None, 0.0)
    assert isinstance(guide, TextGuide)
    boat, ship, cat = guide.encode_texts(["a boat at sea", "a ship on the ocean", "a kitten"])
    assert boat @ ship > boat @ cat
    assert not guide.sees
    assert guide.vision is None
    assert guide.picture_weight == 0
    with pytest.raises(ModelError, match="reads texts only"):
        guide.encode_images([Image.new("RGB", (8, 8))])


def test_a_trained_model_lets_it_see(trained: Path, corpus: Corpus) -> None:
    guide = open_guide("", trained / "model", 0.0)
    projection = Projection.load(trained / "model")
    assert projection is not None
    assert guide.sees
    assert guide.picture_weight == projection.picture_weight
    assert guide.fingerprint != open_guide("", None, 0.0).fingerprint
    seen = guide.encode_images(
        [open_picture(Path(corpus.image_root) / one.image, 96) for one in corpus.pictures[:2]]
    )
    assert seen.shape == (2, guide.encode_texts(["a boat"]).shape[1])
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, rtol=1e-5)
    assert abs(float(seen[0] @ seen[1])) < 0.9999
    assert guide.vision is not None
    features = guide.vision(
        [open_picture(Path(corpus.image_root) / one.image, 96) for one in corpus.pictures[:2]]
    )
    np.testing.assert_allclose(guide.encode_features(features), seen, atol=1e-6)


def test_a_projection_belongs_to_one_encoder(trained: Path) -> None:
    projection = Projection.load(trained / "model")
    assert projection is not None
    other = Projection(projection.weights, "another", projection.picture_weight)
    with pytest.raises(ModelError, match="another text encoder"):
        TextGuide(loaded_encoder(""), other, trained / "model")


class Seeing:
    """An encoder of colours."""

    name = "colours"
    sees = True

    def __init__(self) -> None:
        self.model: Any = loaded_encoder("").model

    def encode(self, texts: list[str]) -> Vectors:
        return np.array([[text == "red", text == "blue"] for text in texts], dtype=np.float32)

    def encode_images(self, images: list[Image.Image]) -> Vectors:
        pixels: Any = [image.getpixel((0, 0)) for image in images]
        return np.array([[red, blue] for red, _, blue in pixels], dtype=np.float32) / 255


def test_an_encoder_that_sees_needs_no_model() -> None:
    encoder: Any = Seeing()
    guide = JointGuide(encoder, 0.5)
    assert guide.sees
    assert guide.vision is None
    assert guide.picture_weight == 0.5
    assert guide.fingerprint == encoder_fingerprint(encoder)
    shown = guide.encode_images([Image.new("RGB", (2, 2), "red"), Image.new("RGB", (2, 2), "blue")])
    np.testing.assert_array_equal(shown, guide.encode_texts(["red", "blue"]))


def test_encoders_are_told_apart_by_their_weights() -> None:
    encoder = loaded_encoder("")
    before = encoder_fingerprint(encoder)
    weight = next(iter(encoder.model.parameters())).data.flatten()
    kept = weight[0].item()
    weight[0] += 1
    after = encoder_fingerprint(encoder)
    weight[0] = kept
    assert after != before == encoder_fingerprint(encoder)
