"""The files of one bundle are opened together, checked, and kept in a folder of their own."""

import errno
import io
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from elsewhere import PLACES, moved
from manifests import copied
from PIL import Image

from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from semcore.bundle.bundle import ITEMS, read_manifest
from semcore.bundle.filter import Filter
from semcore.bundle.item import ADDED, Item
from semcore.errors import BundleError, SemcoreError
from semcore.pictures.picture_source import PictureSource, StoredPicture
from service.index.open_bundle import OpenBundle


def test_what_nobody_closes_goes_with_the_process(trained: Path, tmp_path: Path) -> None:
    opening = (
        "import sys; from pathlib import Path; from service.index.open_bundle import OpenBundle\n"
        "bundle = OpenBundle(Path(sys.argv[1])); print(bundle.folder)"
    )
    told = subprocess.run(
        [sys.executable, "-c", opening, str(trained / "bundle")],
        env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(told.stdout.strip()).parent == tmp_path
    assert not list(tmp_path.iterdir())


def test_refuses_a_bundle_that_nothing_could_search(corpus: Corpus, tmp_path: Path) -> None:
    build_bundle(corpus, tmp_path / "bundle", BuildSettings(clusters=4), guide=None)
    with pytest.raises(BundleError, match="semcore train"):
        OpenBundle(tmp_path / "bundle")


def test_the_guide_is_the_one_that_the_vectors_were_made_by(
    guided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = OpenBundle(guided)
    guide = opened.guide
    assert guide is not None
    assert opened.fingerprints == (opened.model_fingerprint, guide.fingerprint)
    opened.close()
    monkeypatch.setattr("semcore.guide.guide.encoder_fingerprint", lambda _: "another")
    other = OpenBundle(guided)
    with pytest.raises(SemcoreError, match="another"):
        _ = other.guide
    other.close()


def test_files_of_two_bundles_are_not_opened_together(
    trained: Path, smaller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One takes the place of the other while its files are being linked."""
    bundle, link = tmp_path / "bundle", os.link
    shutil.copytree(trained / "bundle", bundle)
    links = 0

    def replacing(source: Path, target: Path) -> None:
        nonlocal links
        links += 1
        if links == 2:
            shutil.rmtree(bundle)
            shutil.copytree(smaller, bundle)
        link(source, target)

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(os, "link", replacing)
    opened = OpenBundle(bundle, model=trained / "model")
    assert links > 2
    assert opened.version == read_manifest(smaller).version
    assert opened.manifest.counts["image_identifiers"] == opened.walks["image"].identifiers
    opened.close()
    assert not list(temporary.iterdir())


def test_a_bundle_that_is_replaced_again_and_again_is_not_opened(
    trained: Path, smaller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, link = tmp_path / "bundle", os.link
    shutil.copytree(trained / "bundle", bundle)
    sources = cycle((smaller, trained / "bundle"))

    def replacing(source: Path, target: Path) -> None:
        link(source, target)
        if source.name == ITEMS:
            shutil.rmtree(bundle)
            shutil.copytree(next(sources), bundle)

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(os, "link", replacing)
    with pytest.raises(BundleError, match=f"{bundle} was replaced"):
        OpenBundle(bundle)
    assert not list(temporary.iterdir())


def test_says_where_there_is_no_room(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(BundleError, match="make room for temporary files"):
        OpenBundle(trained / "bundle")


def test_files_are_copied_where_they_cannot_be_linked(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where temporary files lie in another file system."""

    def refused(*_: object) -> None:
        raise OSError(errno.EXDEV, "cross-device link")

    bundle = copied(few, tmp_path / "bundle")
    monkeypatch.setattr(os, "link", refused)
    opened = OpenBundle(bundle)
    shutil.rmtree(bundle)
    assert opened.folder != opened.path == bundle
    assert len(list(opened.store)) == opened.count
    assert opened.walks["image"].identifiers == opened.manifest.counts["image_identifiers"]
    opened.close()
    assert not opened.folder.exists()


def test_says_which_file_is_damaged_and_leaves_nothing(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, temporary = copied(few, tmp_path / "bundle"), tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (bundle / ITEMS).unlink()
    with pytest.raises(BundleError, match=ITEMS):
        OpenBundle(bundle)
    (bundle / ITEMS).write_bytes(b"damaged")
    with pytest.raises(BundleError, match=ITEMS):
        OpenBundle(bundle)
    with pytest.raises(BundleError, match="none"):
        OpenBundle(tmp_path / "none")
    assert not list(temporary.iterdir())


def test_what_passes_a_filter_is_worked_out_once(few: Path) -> None:
    opened = OpenBundle(few)
    wanted = Filter.model_validate({"field": "year", "gte": 1992})
    found = opened.passing(wanted)
    items = opened.store.of_numbers(range(opened.count))
    expected = [number for number, item in enumerate(items) if wanted.matches(item.metadata)]
    assert 0 < len(expected) < opened.count
    assert list(found) == expected
    assert opened.passing(wanted.model_copy()) is found
    opened.close()


@pytest.mark.parametrize("place", PLACES)
def test_pictures_lie_below_their_root(untrained: Path, tmp_path: Path, place: str) -> None:
    opened = OpenBundle(moved(untrained, tmp_path / "bundle", place))
    (item, *_) = opened.store.of_split("test", "image")
    source = opened.picture_source(item)
    assert isinstance(source, StoredPicture)
    assert source == opened.manifest.corpus.picture_source(item)
    assert Image.open(io.BytesIO(source.read())).size == (128, 128)
    for image in ("", f"../{item.image}"):
        assert opened.picture_source(replace(item, image=image)) is None
    opened.close()


def test_the_root_may_be_another_one(untrained: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a picture")
    item = Item("a", "image", "test", "a", False, "boat", "a.png", "<g1> boat")
    roots: list[tuple[str | Path, PictureSource]] = [
        (tmp_path, tmp_path / "a.png"),
        (str(tmp_path), tmp_path / "a.png"),
        ("s3://bucket", StoredPicture("s3://bucket/a.png")),
    ]
    for root, place in roots:
        opened = OpenBundle(untrained, image_root=root)
        assert opened.picture_source(item) == place
        assert opened.picture_source(replace(item, split=ADDED)) is None
        opened.close()
    opened = OpenBundle(untrained, picture_folders=[tmp_path])
    assert opened.picture_source(replace(item, split=ADDED)) == tmp_path / "a.png"
    opened.close()
