"""What a model sees of a picture is told by its processor."""

import json
from pathlib import Path
from typing import Any

import pytest

from offline.model.tiny import create_tiny_model
from semcore.model.eyesight import FROZEN, LARGEST, side_of, side_seen
from semcore.model.frozen_vision import CONFIG_KEY, NAME

ONE_TILE = {"size": {"height": 448, "width": 448}, "crop_to_patches": False, "max_patches": 12}


def test_is_told_by_the_processor_that_a_model_is_saved_with(tmp_path: Path) -> None:
    create_tiny_model(["a red boat"], tmp_path, seed=0)
    assert side_seen(tmp_path) == 2 * 96


@pytest.mark.parametrize(
    ("config", "side"),
    [
        (ONE_TILE, 2 * 448),
        ({**ONE_TILE, "crop_to_patches": True}, 4 * 448),
        ({**ONE_TILE, "crop_to_patches": True, "max_patches": 1}, 2 * 448),
        ({**ONE_TILE, "crop_to_patches": True, "max_patches": 7}, 3 * 448),
        ({**ONE_TILE, "crop_to_patches": True, "max_patches": 100}, LARGEST),
        ({"size": {"height": 96, "width": 64}}, 2 * 96),
        # Of what it cannot tell, a model may see all.
        ({}, LARGEST),
        ({**ONE_TILE, "size": {"shortest_edge": 448}}, LARGEST),
        ({**ONE_TILE, "size": 448}, LARGEST),
        ({"size": ONE_TILE["size"], "crop_to_patches": True}, LARGEST),
    ],
)
def test_tiles_let_a_model_see_more(config: dict[str, Any], side: int) -> None:
    assert side_of(config) == side


def test_looks_where_processors_of_all_ages_say_it(tmp_path: Path) -> None:
    assert side_seen(tmp_path) == LARGEST
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(ONE_TILE))
    assert side_seen(tmp_path) == 2 * 448
    newer = {**ONE_TILE, "size": {"height": 96, "width": 96}}
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": newer}))
    assert side_seen(tmp_path) == 2 * 96
    (tmp_path / "processor_config.json").write_text("{")
    assert side_seen(tmp_path) == 2 * 448


def test_the_frozen_encoder_sees_what_it_sees_whatever_the_processor_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({CONFIG_KEY: NAME}))
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": ONE_TILE}))
    assert side_seen(tmp_path) == FROZEN
