"""Pictures reach a model as it takes them, once each."""

from pathlib import Path

import pytest
import torch
from transformers import ProcessorMixin

from offline.corpus.reader import Corpus
from offline.image_inputs import Features, Pixels, write_features
from offline.model.backbone import load_model


@pytest.fixture(scope="module")
def processor(trained: Path) -> ProcessorMixin:
    return load_model(trained / "model")[1]


def test_features_are_read_back(corpus: Corpus, tmp_path: Path) -> None:
    paths = [corpus.image_root / picture.image for picture in corpus.pictures[:3]]
    write_features(paths[:2], tmp_path / "features")
    kept, anew = Features(tmp_path / "features"), Features()
    torch.testing.assert_close(kept(paths), anew(paths), atol=2e-2, rtol=2e-2)


def test_pictures_are_the_same_when_seen_again(corpus: Corpus, processor: ProcessorMixin) -> None:
    paths = [corpus.image_root / picture.image for picture in corpus.pictures[:2]]
    pixels = Pixels(processor)
    first, again = pixels(paths), pixels(paths)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])
