"""Binding gives a bundle the walks of a model's tokens, or leaves it as it was."""

import shutil
from pathlib import Path

import pytest

from offline.bundle.binding import bind_bundle, bound_model
from semcore.bundle.bundle import check_bundle
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
