"""Sentence vectors: unit length, in the order of the texts, near for like meaning."""

import numpy as np

from semcore.identifiers.encoder import Encoder


def test_vectors_are_unit_and_in_order() -> None:
    texts = ["a red boat", "two cats in the snow", "a red boat", "x"]
    vectors = Encoder().encode(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(Encoder().encode(["x"])[0], vectors[3], atol=1e-5)


def test_like_meaning_is_near() -> None:
    boat, ship, cat = Encoder().encode(["a boat at sea", "a ship on the ocean", "a kitten"])
    assert boat @ ship > boat @ cat


def test_what_is_remembered_is_not_encoded_again() -> None:
    texts = ["a red boat", "two cats"]
    encoder = Encoder(remember=True)
    first = encoder.encode(texts)
    del encoder.model
    np.testing.assert_array_equal(encoder.encode(texts[::-1]), first[::-1])
