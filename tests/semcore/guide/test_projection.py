"""A projection is stored with its model, and puts pictures at unit length."""

from pathlib import Path

import numpy as np
import pytest
import torch

from semcore.errors import ModelError
from semcore.guide.projection import Projection, pooled, projected

WEIGHTS = {
    "mean": torch.tensor([1.0, 2.0, 3.0, 4.0]),
    "scale": torch.tensor([0.5, 1.0, 1.0, 2.0]),
    "linear_1.weight": torch.arange(12.0).reshape(3, 4) / 10,
    "linear_1.bias": torch.tensor([0.1, -0.2, 0.3]),
    "linear_2.weight": torch.arange(6.0).reshape(2, 3) / 10,
    "linear_2.bias": torch.tensor([0.5, -0.5]),
    "text.weight": torch.tensor([[0.0, 2.0], [1.0, 0.0]]),
}
PROJECTION = Projection(WEIGHTS, "an encoder", 0.75)
SEEN = torch.arange(12.0).reshape(2, 3, 2)


def test_mean_and_maximum_of_the_tokens() -> None:
    assert pooled(SEEN).tolist() == [[2.0, 3.0, 4.0, 5.0], [8.0, 9.0, 10.0, 11.0]]


def test_pictures_are_projected_to_unit_length() -> None:
    found = PROJECTION(SEEN)
    assert found.shape == (2, 2)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(2))
    torch.testing.assert_close(found, projected(WEIGHTS, pooled(SEEN)))
    assert not torch.allclose(found[0], found[1])


def test_texts_are_mapped_to_unit_length() -> None:
    texts = np.array([[1.0, 0.0], [3.0, 2.0], [0.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(PROJECTION.of_texts(texts), [[0, 1], [0.8, 0.6], [0, 0]], rtol=1e-6)


def test_what_is_dropped_differs_each_time() -> None:
    torch.manual_seed(0)
    first, second = (projected(WEIGHTS, pooled(SEEN), dropout=0.5) for _ in range(2))
    assert not torch.allclose(first, second)


def test_it_lies_in_the_folder_of_its_model(tmp_path: Path) -> None:
    assert Projection.load(tmp_path) is None
    PROJECTION.save(tmp_path)
    found = Projection.load(tmp_path)
    assert found is not None
    assert (found.encoder, found.picture_weight) == ("an encoder", 0.75)
    assert found.fingerprint == PROJECTION.fingerprint
    torch.testing.assert_close(found(SEEN), PROJECTION(SEEN))
    # vLLM takes every such file of the folder itself for weights of the model.
    assert not list(tmp_path.glob("*.safetensors"))
    for file in tmp_path.rglob("*.safetensors"):
        file.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="train the model again"):
        Projection.load(tmp_path)


def test_other_weights_have_another_fingerprint() -> None:
    other = {**WEIGHTS, "linear_2.bias": torch.tensor([0.5, -0.25])}
    assert Projection(other, "an encoder", 0.75).fingerprint != PROJECTION.fingerprint
