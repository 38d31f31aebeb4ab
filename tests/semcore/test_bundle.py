"""Bundles appear whole or not at all, and damage is named."""

import hashlib
import json
from pathlib import Path

import pytest

from semcore.bundle import (
    FORMAT_VERSION,
    MANIFEST,
    CorpusRecord,
    Manifest,
    SettingsRecord,
    check_bundle,
    read_manifest,
    staged,
)
from semcore.errors import BundleError

BLANK = Manifest(
    corpus=CorpusRecord(name="c", fingerprint="f", image_root="/images", held_out_rule="none"),
    settings=SettingsRecord(
        clusters=2, keywords=4, cluster_words=5, encoder="e", seed=0, gallery=("test",)
    ),
    counts={"image": 1},
)


def make(path: Path, content: str) -> Manifest:
    with staged(path, BLANK) as stage:
        (stage / "report.json").write_text(content)
    return check_bundle(path)


def test_replaces_an_older_bundle_and_leaves_nothing_else(tmp_path: Path) -> None:
    first = make(tmp_path / "bundle", "one")
    second = make(tmp_path / "bundle", "two")
    assert first.version != second.version
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_failed_build_keeps_the_older_bundle(tmp_path: Path) -> None:
    before = make(tmp_path / "bundle", "one")
    with pytest.raises(RuntimeError, match="disk"), staged(tmp_path / "bundle", BLANK) as stage:
        (stage / "report.json").write_text("half")
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
