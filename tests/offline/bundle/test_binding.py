"""Binding gives a bundle the walks of a model's tokens, or leaves it as it was."""

import shutil
from pathlib import Path

import pytest

from offline.bundle.binding import bind_bundle, bound_model
from semcore.bundle.bundle import check_bundle
from semcore.bundle.calibration import (
    Calibration,
    Calibrations,
    read_calibration,
    write_calibration,
)
from semcore.bundle.stage import carry
from semcore.errors import BundleError, ModelError
from semcore.trie.walk import load_walk


def test_names_the_model_and_holds_its_walks(trained: Path) -> None:
    manifest = check_bundle(trained / "bundle")
    found = bound_model(trained / "bundle")
    assert found is not None
    assert found.resolve() == (trained / "model").resolve()
    for kind in ("image", "text"):
        assert len(load_walk(trained / "bundle" / kind).allowed(0)) > 0
    again = bind_bundle(trained / "bundle", trained / "model")
    assert again.version == manifest.version


def test_what_stays_is_not_copied_and_an_older_bundle_keeps_what_changes(
    guided: Path, trained: Path, tmp_path: Path
) -> None:
    """As where a service has the older one open, by links to its files."""
    bundle = shutil.copytree(guided, tmp_path / "bundle")
    older = tmp_path / "older"
    older.mkdir()
    for file in bundle.iterdir():
        carry(file, older / file.name)
    before = check_bundle(older)
    # Another model, which knows nothing of looks, changes all vectors.
    model = shutil.copytree(trained / "model", tmp_path / "model")
    shutil.rmtree(model / "guide")
    bind_bundle(bundle, model)
    write_calibration(bundle, Calibrations({"text-to-image": Calibration(prior=0.25)}))
    after = check_bundle(bundle)
    assert check_bundle(older) == before
    changed = {name for name in before.files if before.files[name] != after.files.get(name)}
    assert {"vectors.npy", "captions.npy", "image.cells.means.npy"} <= changed
    for name in ("items.sqlite", "image.marisa", "centroids.npy"):
        assert (bundle / name).samefile(older / name)
    write_calibration(older, Calibrations({"text-to-image": Calibration(prior=0.5)}))
    assert read_calibration(bundle).of("text-to-image").prior == 0.25


def test_a_model_that_is_missing_leaves_the_bundle_alone(trained: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(trained / "bundle", tmp_path / "bundle")
    before = check_bundle(bundle)
    with pytest.raises(ModelError, match="holds no model"):
        bind_bundle(bundle, tmp_path / "none")
    assert check_bundle(bundle) == before


def test_a_damaged_bundle_is_refused(trained: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(trained / "bundle", tmp_path / "bundle")
    with (bundle / "image.marisa").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"image\.marisa"):
        bind_bundle(bundle, trained / "model")
