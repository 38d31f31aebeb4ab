"""The slot lets searches finish on the version they began with."""

import io
import shutil
from pathlib import Path

import pytest
from living import running
from manifests import copied
from PIL import Image

from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.bundle.compaction import compact_bundle
from offline.corpus.corpus import Corpus
from offline.corpus.reader import read_corpus
from semcore.bundle.bundle import ITEMS, check_bundle
from semcore.bundle.item import ItemStore
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
    picture = manifest.corpus.picture_source(first)
    assert isinstance(picture, Path)
    assert picture.is_file()
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
        path = index.snapshot.picture_source(added)
        assert isinstance(path, Path)
        assert path.read_bytes() == picture.getvalue()
        index.close()
    another.close()
    shutil.rmtree(trained / "compacted")
