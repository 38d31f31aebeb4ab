"""Pictures reach a model as it takes them, and what was seen once is not looked at again."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from elsewhere import MISSING, PLACES, put
from PIL import Image
from transformers import GotOcr2ImageProcessor

from offline import image_inputs
from offline.image_inputs import Features, Pixels, picture_reader, see_pictures, write_features
from semcore.errors import PictureError
from semcore.model.eyesight import FROZEN
from semcore.model.frozen_vision import CHANNELS, CONFIG_KEY, NAME, TOKENS, FrozenVision
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_source import picture_source


def pictures(folder: Path, count: int = 3) -> list[Path]:
    """Of noise, each another one."""
    paths = []
    for number in range(count):
        samples = np.random.default_rng(number).integers(0, 256, (120, 150, 3), dtype=np.uint8)
        paths.append(folder / f"{number}.png")
        Image.fromarray(samples).save(paths[-1])
    return paths


def pixels(side: int) -> Pixels:
    size = {"height": side, "width": side}
    processor = GotOcr2ImageProcessor(size=size, crop_to_patches=True, max_patches=4)
    return Pixels(SimpleNamespace(image_processor=processor))  # type: ignore[arg-type]


def test_each_picture_is_one_tile(tmp_path: Path) -> None:
    paths = pictures(tmp_path)
    found = pixels(96)(paths)
    assert (found.shape, found.dtype) == ((3, 3, 96, 96), torch.float32)
    assert not torch.equal(found[0], found[1])
    assert torch.equal(pixels(96)(paths[1:2])[0], found[1])


def test_small_tiles_are_kept_in_memory_as_long_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_inputs, "_CACHED_PICTURES", 2)
    paths = pictures(tmp_path)
    small, large = pixels(96), pixels(112)
    first = small(paths)
    large(paths)
    for path in paths:
        path.unlink()
    assert torch.equal(small(paths[1:]), first[1:])
    with pytest.raises(PictureError):
        small(paths[:1])  # the oldest one
    with pytest.raises(PictureError):
        large(paths[2:])


def test_features_are_read_back_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_inputs, "_CHUNK", 2)
    paths = pictures(tmp_path)
    write_features(paths, tmp_path / "features")
    anew = FrozenVision()([open_picture(path, FROZEN) for path in paths])
    assert [len(chunk) for chunk in see_pictures(paths)] == [2, 1]
    kept = Features(tmp_path / "features")
    backwards = kept(paths[::-1])
    assert (backwards.shape, backwards.dtype) == ((3, TOKENS, CHANNELS), torch.float32)
    torch.testing.assert_close(backwards, anew.flip(0), atol=2e-2, rtol=2e-2)
    # Which takes no look at the pictures.
    other = pictures(tmp_path / "features", 1)[0].rename(tmp_path / "other.png")
    for path in paths:
        path.unlink()
    torch.testing.assert_close(kept(paths), anew, atol=2e-2, rtol=2e-2)
    # Others are seen anew.
    torch.testing.assert_close(kept([other])[0], anew[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(Features()([other])[0], anew[0], atol=1e-4, rtol=1e-4)


def test_features_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        write_features([], tmp_path)


def test_what_fits_the_model_reads_its_pictures(tmp_path: Path) -> None:
    paths = pictures(tmp_path, 1)
    write_features(paths, tmp_path / "features")
    processor = pixels(96)._processor
    holder = SimpleNamespace(image_processor=processor)
    (tmp_path / "config.json").write_text("{}")
    tower = picture_reader(holder, tmp_path, tmp_path / "none")  # type: ignore[arg-type]
    assert tower(paths).shape == (1, 3, 96, 96)
    (tmp_path / "config.json").write_text(json.dumps({CONFIG_KEY: NAME}))
    frozen = picture_reader(holder, tmp_path, tmp_path / "features")  # type: ignore[arg-type]
    assert frozen(paths).shape == (1, TOKENS, CHANNELS)


@pytest.mark.parametrize("place", PLACES)
def test_reads_pictures_that_are_no_files_by_themselves(tmp_path: Path, place: str) -> None:
    paths = pictures(tmp_path)
    root, images = put(place, {one.name: one.read_bytes() for one in paths}, tmp_path / "there")
    sources = [picture_source(root, image) for image in images.values()]
    missing = picture_source(root, MISSING[place])
    read = pixels(96)
    assert torch.equal(read(sources), read(paths))
    with pytest.raises(PictureError, match="cannot be read"):
        read([missing])
    write_features(sources, tmp_path / "features")
    kept, seen = Features(tmp_path / "features"), next(see_pictures(paths))
    torch.testing.assert_close(kept(sources), seen, atol=2e-2, rtol=2e-2)
    torch.testing.assert_close(Features()(sources[:1]), seen[:1], atol=1e-4, rtol=1e-4)
    with pytest.raises(PictureError, match="cannot be read"):
        kept([missing])
