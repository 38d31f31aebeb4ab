"""The service's projector and the trained model's make the same visual tokens."""

import sys
from pathlib import Path

import pytest
import torch
from frozen import create_frozen_model
from PIL import Image

from offline.corpus.reader import Corpus
from offline.image_inputs import Features, write_features
from offline.model.backbone import load_model
from semcore.errors import ModelError
from semcore.extras import MissingExtraError
from semcore.model.frozen_vision import CHANNELS, TOKENS, FrozenVision, has_frozen_vision
from semcore.model.picture_embedder import PictureEmbedder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen") / "model"
    create_frozen_model(["a red boat at sea"], folder)
    return folder


def test_is_known_by_its_configuration(model: Path, trained: Path, tmp_path: Path) -> None:
    assert has_frozen_vision(model)
    assert not has_frozen_vision(trained / "model")
    assert not has_frozen_vision(tmp_path)


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingExtraError, match=r"semcore\[small\]"):
        FrozenVision()


def test_agrees_with_the_model(model: Path, corpus: Corpus) -> None:
    paths = [corpus.image_root / picture.image for picture in corpus.pictures[:3]]
    images = [Image.open(path) for path in paths]
    features = FrozenVision()(images)
    assert features.shape == (3, TOKENS, CHANNELS)
    backbone, _ = load_model(model)
    with torch.no_grad():
        expected = backbone.model.get_image_features(features).pooler_output
    torch.testing.assert_close(PictureEmbedder(model)(images), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(expected[0], expected[1])


def test_features_are_read_back(corpus: Corpus, tmp_path: Path) -> None:
    paths = [corpus.image_root / picture.image for picture in corpus.pictures[:3]]
    write_features(paths[:2], tmp_path / "features")
    kept, anew = Features(tmp_path / "features"), Features()
    torch.testing.assert_close(kept(paths), anew(paths), atol=2e-2, rtol=2e-2)


def test_says_that_a_checkpoint_lacks_the_projector(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lacks multi_modal_projector"):
        PictureEmbedder(tmp_path)
