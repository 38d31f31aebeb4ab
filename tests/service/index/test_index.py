"""The slot lets searches finish on the version they began with."""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import cycle
from pathlib import Path

import pytest
from living import running
from manifests import copied
from PIL import Image

from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.bundle.compaction import compact_bundle
from offline.corpus.reader import Corpus, read_corpus
from semcore.bundle.bundle import ITEMS, check_bundle, read_manifest
from semcore.bundle.item import ItemStore
from semcore.errors import BundleError
from semcore.identifiers.identifier import Identifier
from semcore.journal.journal import Change, Journal
from service.index.index import Index, IndexSlot
from service.schemas.admin import NewItem


def test_a_lease_outlives_replacements(trained: Path, smaller: Path) -> None:
    slot = IndexSlot(Index(trained / "bundle"))
    with slot.lease() as old:
        slot.replace(Index(smaller))
        assert slot.current.bundle.version != old.bundle.version
        assert slot.previous is old
        slot.replace(Index(smaller))
        assert next(old.bundle.store.of_split("test", "image")).id
    with pytest.raises(Exception, match="closed"):
        next(old.bundle.store.of_split("test", "image"))
    kept = slot.previous
    assert kept is not None
    slot.replace(kept)
    assert slot.current is kept
    assert next(kept.bundle.store.of_split("train", "image")).id
    slot.close()


def test_an_index_survives_its_bundle(trained: Path, tmp_path: Path) -> None:
    copied(trained / "bundle", tmp_path / "bundle")
    index = Index(tmp_path / "bundle")
    shutil.rmtree(tmp_path / "bundle")
    side = index.snapshot.side("image")
    assert side is not None
    (layer,) = side.layers
    assert layer.walk.identifiers == index.bundle.manifest.counts["image_identifiers"]
    ((stem, _),) = side.files
    assert Path(stem).parent.is_dir()
    index.close()
    assert not Path(stem).parent.exists()


def test_what_nobody_closes_goes_with_the_process(trained: Path, tmp_path: Path) -> None:
    opening = "import sys; from pathlib import Path; from service.index.index import Index\n"
    opening += "index = Index(Path(sys.argv[1])); print(index.bundle.folder)"
    told = subprocess.run(
        [sys.executable, "-c", opening, str(trained / "bundle")],
        env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(told.stdout.strip()).parent == tmp_path
    assert not list(tmp_path.iterdir())


def test_refuses_an_untrained_bundle(corpus: Corpus, tmp_path: Path) -> None:
    build_bundle(corpus, tmp_path / "bundle", BuildSettings(clusters=4))
    with pytest.raises(BundleError, match="semcore train"):
        Index(tmp_path / "bundle")


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
    opened = Index(bundle, model=trained / "model")
    assert links > 2
    assert opened.bundle.version == read_manifest(smaller).version
    counts = opened.bundle.manifest.counts
    assert counts["image_identifiers"] == opened.bundle.walks["image"].identifiers
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
        Index(bundle)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "100%25", "two words", "Bücher 書", "a&b;c"])
def test_any_name_of_folders(trained: Path, tmp_path: Path, name: str) -> None:
    """Of the bundle, its model and the journal."""
    folder = tmp_path / name
    copied(trained / "bundle", folder / "bundle")
    shutil.copytree(trained / "model", folder / "model")
    journal = Journal(folder / "journal")
    journal.append([Change("none", None)])
    index = Index(folder / "bundle", journal, model=folder / "model")
    item = next(index.bundle.store.of_split("test", "image"))
    assert index.snapshot.get(item.id) == item
    assert index.bundle.spelling.tokens(Identifier.parse(item.identifier))
    index.close()
    journal.close()
    store = ItemStore(folder / "bundle" / ITEMS, ("test",))
    assert store.get(item.id) == item
    store.close()
    bind_bundle(folder / "bundle", folder / "model")
    assert check_bundle(folder / "bundle").model is not None
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert {path.name for path in folder.iterdir()} == {"bundle", "model", "journal"}


def test_a_corpus_in_a_folder_of_any_name(corpus: Corpus, tmp_path: Path) -> None:
    source, out = tmp_path / "a#1 ?%20é", tmp_path / "out#?%41"
    shutil.copytree(corpus.image_root, source)
    found = read_corpus(source)
    build_bundle(found, out, BuildSettings(clusters=4))
    manifest = check_bundle(out)
    store = ItemStore(out / ITEMS, manifest.settings.gallery)
    (first, *_) = store.of_split("test", "image")
    assert manifest.corpus.image_path(first).is_file()
    store.close()
    assert {path.name for path in tmp_path.iterdir()} == {source.name, out.name}


async def test_finds_the_pictures_that_were_added_before_it_was_compacted(
    few: Path, trained: Path, tmp_path: Path
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    item = NewItem.model_construct(
        id="new", kind="image", captions=["a red boat"], image=picture.getvalue(), pair=None,
        metadata={},
    )  # fmt: skip
    async with running(few, tmp_path / "journal") as retrieval:
        await retrieval.writer.add([item])
    compact_bundle(few, tmp_path / "journal", trained / "compacted")
    another = Journal(tmp_path / "that of a new replica")
    for journal in (None, another):
        index = Index(trained / "compacted", journal)
        added = index.snapshot.get("new")
        assert added is not None
        path = index.snapshot.image_path(added)
        assert path is not None
        assert path.read_bytes() == picture.getvalue()
        index.close()
    another.close()
    shutil.rmtree(trained / "compacted")


def test_says_where_there_is_no_room(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(BundleError, match="make room for temporary files"):
        Index(trained / "bundle")
