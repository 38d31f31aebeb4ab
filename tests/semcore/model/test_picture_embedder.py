"""The service's projector and the trained model's make the same visual tokens."""

from pathlib import Path

import pytest
import torch
from frozen import create_frozen_model
from PIL import Image

from offline.corpus.corpus import Corpus
from offline.model.backbone import load_model
from semcore.errors import ModelError
from semcore.model.frozen_vision import CHANNELS, TOKENS, FrozenVision
from semcore.model.picture_embedder import PictureEmbedder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen") / "model"
    create_frozen_model(["a red boat at sea"], folder)
    return folder


def test_agrees_with_the_model(model: Path, corpus: Corpus) -> None:
    paths = [Path(corpus.image_root) / picture.image for picture in corpus.pictures[:3]]
    images = [Image.open(path) for path in paths]
    features = FrozenVision()(images)
    assert features.shape == (3, TOKENS, CHANNELS)
    backbone, _ = load_model(model)
    with torch.no_grad():
        expected = backbone.model.get_image_features(features).pooler_output
    torch.testing.assert_close(PictureEmbedder(model)(images), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(expected[0], expected[1])


def test_says_that_a_checkpoint_lacks_the_projector(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lacks multi_modal_projector"):
        PictureEmbedder(tmp_path)
