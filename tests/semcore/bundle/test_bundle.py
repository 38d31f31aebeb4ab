"""Bundles appear whole or not at all, and damage is named."""

import hashlib
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import BLANK

from semcore.bundle.bundle import (
    FORMAT_VERSION,
    MANIFEST,
    Manifest,
    check_bundle,
    read_manifest,
    staged,
)
from semcore.bundle.item import ADDED, Item
from semcore.errors import BundleError
from semcore.pictures.picture_source import StoredPicture


def make(path: Path, content: str) -> Manifest:
    with staged(path, BLANK) as folder:
        (folder / "report.json").write_text(content)
    return check_bundle(path)


def test_replaces_an_older_bundle_and_leaves_nothing_else(tmp_path: Path) -> None:
    first = make(tmp_path / "bundle", "one")
    second = make(tmp_path / "bundle", "two")
    assert first.version != second.version
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_failed_build_keeps_the_older_bundle(tmp_path: Path) -> None:
    before = make(tmp_path / "bundle", "one")
    with pytest.raises(RuntimeError, match="disk"), staged(tmp_path / "bundle", BLANK) as folder:
        (folder / "report.json").write_text("half")
        raise RuntimeError("disk full")
    assert check_bundle(tmp_path / "bundle") == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("name", ["report.json", MANIFEST])
def test_names_the_damaged_file(tmp_path: Path, name: str) -> None:
    make(tmp_path / "bundle", "one")
    (tmp_path / "bundle" / name).write_text("two")
    with pytest.raises(BundleError, match=name):
        check_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / name).unlink()
    with pytest.raises(BundleError, match=name):
        check_bundle(tmp_path / "bundle")


def test_refuses_another_format(tmp_path: Path) -> None:
    make(tmp_path / "bundle", "one")
    file = tmp_path / "bundle" / MANIFEST
    file.write_text(
        file.read_text().replace(f'"format_version": {FORMAT_VERSION}', '"format_version": 99')
    )
    with pytest.raises(BundleError, match="format 99"):
        read_manifest(tmp_path / "bundle")


def test_reads_what_was_written_before_a_field_was_there(tmp_path: Path) -> None:
    make(tmp_path / "bundle", "report")
    file = tmp_path / "bundle" / MANIFEST
    written = json.loads(file.read_text())
    del written["corpus"]["source_captions"], written["seal"]
    content = json.dumps(written, separators=(",", ":"), ensure_ascii=False)
    written["seal"] = hashlib.sha256(content.encode()).hexdigest()
    file.write_text(json.dumps(written))
    assert check_bundle(tmp_path / "bundle").corpus.source_captions == 2
    written["corpus"]["name"] = "another"
    file.write_text(json.dumps(written))
    with pytest.raises(BundleError, match="damaged"):
        check_bundle(tmp_path / "bundle")


def test_a_bundle_is_there_after_each_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "bundle", "one")
    rename = Path.rename

    def looking(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        check_bundle(tmp_path / "bundle")
        return renamed

    monkeypatch.setattr(Path, "rename", looking)
    make(tmp_path / "bundle", "two")


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", "", "a\0b"])
def test_names_of_files_are_names_in_the_folder(tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "bundle"
    before = make(bundle, "one")
    file = before.files["report.json"]
    bad = before.model_copy(update={"files": {**before.files, name: file}})
    # Sealed as whoever made it would have done.
    (bundle / MANIFEST).write_text(bad.model_copy(update={"seal": bad._digest()}).model_dump_json())
    with pytest.raises(BundleError, match=f"{MANIFEST} is damaged .*no plain name of a file"):
        read_manifest(bundle)


def test_a_reader_waits_for_a_bundle_that_is_being_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system that exchanges no names."""
    bundle, rename = tmp_path / "bundle", Path.rename
    make(bundle, "one")
    read: list[Manifest] = []
    reader = threading.Thread(target=lambda: read.append(read_manifest(bundle)))

    def slow(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        if not bundle.exists():
            reader.start()
            reader.join(0.05)
        return renamed

    monkeypatch.setattr("semcore.bundle.stage.exchange", lambda *_: False)
    monkeypatch.setattr(Path, "rename", slow)
    second = make(bundle, "two")
    reader.join()
    assert read == [second]


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    make(photos, "one")  # an empty folder is nothing to lose
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "a.jpg").write_text("mine")
    for taken in (tmp_path / "notes.txt", tmp_path / "others"):
        with pytest.raises(BundleError, match="is no bundle, and would be lost"):
            make(taken, "two")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "others" / "a.jpg").read_text() == "mine"


def test_pictures_lie_below_their_root_and_those_of_added_items_in_their_folder() -> None:
    item = Item("a", "image", "test", "a", False, "boat", "b/a.png", "<g1> boat")
    added = replace(item, split=ADDED)
    for root, place in {
        "/photos": Path("/photos/b/a.png"),
        "s3://bucket/photos": StoredPicture("s3://bucket/photos/b/a.png"),
    }.items():
        corpus = BLANK.corpus.model_copy(update={"image_root": root, "added_root": "/added"})
        assert corpus.picture_source(item) == place
        assert corpus.picture_source(added) == Path("/added/b/a.png")
