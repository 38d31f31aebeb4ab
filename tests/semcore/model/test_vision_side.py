"""The vision side sees by itself what the whole model sees."""

import json
from pathlib import Path

import pytest
import torch

from offline.corpus.corpus import Corpus
from offline.image_inputs import picture_reader
from offline.model.backbone import load_model
from semcore.errors import ModelError
from semcore.model.eyesight import side_seen
from semcore.model.vision_side import VisionTower, open_vision_side
from semcore.pictures.picture import open_picture


def test_as_within_the_model(trained: Path, corpus: Corpus) -> None:
    folder = trained / "model"
    paths = [Path(corpus.image_root) / one.image for one in corpus.pictures[:3]]
    side = side_seen(folder)
    seen = open_vision_side(folder)([open_picture(path, side) for path in paths])
    model, processor = load_model(folder)
    pixels = picture_reader(processor, folder, folder)(paths)
    with torch.inference_mode():
        wanted = model.model.get_image_features(pixel_values=pixels).pooler_output
    torch.testing.assert_close(seen, wanted)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no InternVL"):
        VisionTower(tmp_path)


def test_a_checkpoint_that_cannot_see(trained: Path, tmp_path: Path) -> None:
    for name in ("config.json", "processor_config.json"):
        (tmp_path / name).write_text((trained / "model" / name).read_text())
    assert json.loads((tmp_path / "config.json").read_text())["vision_config"]
    with pytest.raises(ModelError, match="cannot see"):
        VisionTower(tmp_path)
