"""Files of layers are opened once, the last few stay open, and what cannot be read is named."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap
from walks import walk_of

from semcore.errors import BundleError
from semcore.trie.layers import live_edges
from semcore.trie.walk import file_names
from service.beams import layer_files
from service.beams.layer_files import LayerFiles, are_gone, open_layers

END = 1
SEQUENCES = [(2, END), (3, END), (3, 4, END)]

Save = Callable[[str], LayerFiles]


@pytest.fixture(autouse=True)
def none_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_files, "_opened", OrderedDict())


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a walk of a name, and says by which files it is known."""

    def saved(name: str) -> LayerFiles:
        walk_of(SEQUENCES).save(tmp_path / name)
        return ((str(tmp_path / name), ""),)

    return saved


def retire(files: LayerFiles) -> None:
    for stem, _ in files:
        for name in file_names(Path(stem).name):
            Path(stem).with_name(name).unlink()


def test_live_edges_say_what_may_be_found(save: Save, tmp_path: Path) -> None:
    ((stem, _),) = save("image")
    np.save(tmp_path / "live.npy", live_edges(walk_of(SEQUENCES), BitMap([0, 2])))
    layers = open_layers(((stem, str(tmp_path / "live.npy")),))
    assert layers.follow((2, END)) is not None
    assert layers.follow((3, 4, END)) is not None
    assert layers.follow((3, END)) is None


def test_a_walk_is_mapped_once_whatever_is_found_in_it(save: Save, tmp_path: Path) -> None:
    files = save("image")
    np.save(tmp_path / "live.npy", live_edges(walk_of(SEQUENCES), BitMap([1])))
    layers = open_layers(files)
    assert open_layers(files) is layers
    filtered = open_layers(((files[0][0], str(tmp_path / "live.npy")),))
    assert filtered is not layers
    assert next(iter(filtered)).walk is next(iter(layers)).walk


def test_those_used_last_stay_open(save: Save) -> None:
    first, second, *others = [save(f"{n}") for n in range(layer_files._KEPT)]
    opened = {files: open_layers(files) for files in (first, second, *others)}
    assert open_layers(first) is opened[first]
    open_layers(save("one more"))
    for files in (first, *others):
        assert open_layers(files) is opened[files]
    assert open_layers(second) is not opened[second]


def test_retired_layers_are_let_go_before_others(save: Save) -> None:
    known = [save(f"{n}") for n in range(layer_files._KEPT)]
    oldest, *_, retired = known
    layers = open_layers(oldest)
    for files in known:
        open_layers(files)
    assert not are_gone(retired)
    retire(retired)
    assert are_gone(retired)
    open_layers(save("one more"))
    assert open_layers(oldest) is layers
    with pytest.raises(BundleError):
        open_layers(retired)


def test_layers_are_gone_without_their_live_edges(save: Save, tmp_path: Path) -> None:
    ((stem, _),) = save("image")
    files = ((stem, str(tmp_path / "live.npy")),)
    assert are_gone(files)
    np.save(tmp_path / "live.npy", np.ones(3, bool))
    assert not are_gone(files)


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_names_the_file_that_it_cannot_read(
    save: Save, tmp_path: Path, content: bytes | None
) -> None:
    ((stem, _),) = save("image")
    live = tmp_path / "live.npy"
    if content is not None:
        live.write_bytes(content)
    with pytest.raises(BundleError, match=f"{live} cannot be read .* load the index again"):
        open_layers(((stem, str(live)),))
    assert open_layers(((stem, ""),)).follow((2, END)) is not None
