"""The frozen encoder sees each picture by itself, cell by cell."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semcore.extras import MissingExtraError
from semcore.model import frozen_vision
from semcore.model.frozen_vision import (
    CHANNELS,
    CONFIG_KEY,
    NAME,
    SIDE,
    TOKENS,
    FrozenVision,
    has_frozen_vision,
)


@pytest.fixture(scope="module")
def encoder() -> FrozenVision:
    return FrozenVision()


def picture(seed: int) -> Image.Image:
    samples = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return Image.fromarray(samples)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"3", b'{"model_type": "internvl"}'])
def test_a_model_without_it_sees_by_its_own_tower(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    assert not has_frozen_vision(tmp_path)


def test_a_model_with_it_says_so_in_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({CONFIG_KEY: NAME}))
    assert has_frozen_vision(tmp_path)


def test_pictures_are_seen_the_same_alone_and_together(
    encoder: FrozenVision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_vision, "_BATCH", 2)
    images = [picture(seed) for seed in range(5)]
    seen = encoder(images)
    assert (seen.shape, seen.dtype) == ((5, TOKENS, CHANNELS), torch.float32)
    assert not seen.requires_grad
    for image, found in zip(images, seen, strict=True):
        torch.testing.assert_close(encoder([image])[0], found, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(seen[0], seen[1], atol=1e-2)
    with ThreadPoolExecutor(3) as threads:
        for again in threads.map(encoder, [images] * 3):
            torch.testing.assert_close(again, seen, atol=1e-4, rtol=1e-4)


def test_what_was_seen_may_be_trained_on(encoder: FrozenVision) -> None:
    weight = torch.ones(CHANNELS, requires_grad=True)
    (encoder([picture(0)]) * weight).sum().backward()
    assert weight.grad is not None


def test_each_cell_is_seen_where_it_lies(encoder: FrozenVision) -> None:
    """Row by row: what is drawn in one corner changes the features of that corner most."""
    grey = Image.new("RGB", (SIDE, SIDE), (127, 127, 127))
    before = encoder([grey])[0]
    for cell, corner in ((0, (0, 0)), (2, (160, 0)), (6, (0, 160)), (8, (160, 160))):
        drawn = grey.copy()
        drawn.paste(picture(0), corner)
        change = (encoder([drawn])[0] - before).norm(dim=-1)
        assert int(change.argmax()) == cell


def test_colours_of_any_mode_are_seen(encoder: FrozenVision) -> None:
    grey = picture(0).convert("L")
    torch.testing.assert_close(encoder([grey]), encoder([grey.convert("RGB")]))


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingExtraError, match=r"install 'semcore\[small\]'"):
        FrozenVision()
