"""How much of a picture a model can see."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semcore.model.frozen_vision import SIDE, has_frozen_vision

LARGEST = 4 * 448
"""What the shorter side needs at most, in pixels: InternVL sees twelve tiles of 448."""
_FILES = "processor_config.json", "preprocessor_config.json"
_ROOM = 2  # times the side of the input: what is made smaller by this much hides how it came there


def side_seen(model: Path | None) -> int:
    """What the shorter side of a picture needs for the model in a folder, in pixels.

    Training and serving both make pictures smaller by it, so that both see the same. Without a
    model it is what any model needs.
    """
    if model is None:
        return LARGEST
    if has_frozen_vision(model):
        return FROZEN
    for name in _FILES:
        try:
            config = json.loads((model / name).read_text())
        except (OSError, ValueError):
            continue
        if isinstance(config, dict):
            config = config.get("image_processor", config)
            return side_of(config)
    return LARGEST


def side_of(config: Mapping[str, Any]) -> int:
    """The same, by the configuration of an image processor."""
    try:
        side = max(int(config["size"][name]) for name in ("height", "width"))
        tiles = int(config["max_patches"]) if config.get("crop_to_patches") else 1
    except (KeyError, TypeError, ValueError):
        return LARGEST
    return min(LARGEST, side * max(_ROOM, math.ceil(math.sqrt(tiles))))


FROZEN = _ROOM * SIDE
"""For models that see by the frozen encoder."""
