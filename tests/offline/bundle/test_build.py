"""The bundle holds each item once, with an identifier made by the rule."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from layouts import LAYOUTS, drawn, save
from PIL import Image

from offline.bundle import build
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.corpus.picture import Picture
from offline.corpus.reader import read_corpus
from semcore.bundle.bundle import check_bundle
from semcore.bundle.item import ItemStore
from semcore.errors import CorpusError
from semcore.identifiers.encoder import Encoder, Vectors
from semcore.identifiers.identifier import Identifier
from semcore.kind import KINDS
from semcore.trie.trie import Trie


@pytest.fixture(scope="module")
def bundle(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("build") / "bundle"
    build_bundle(corpus, path, BuildSettings(clusters=8, gallery=("test",)))
    return path


def test_every_item_has_an_identifier(bundle: Path, corpus: Corpus) -> None:
    manifest = check_bundle(bundle)
    store = ItemStore(bundle / "items.sqlite", ("test",))
    items = list(store)
    assert len(items) == manifest.counts["items"] == 6 * len(corpus.pictures)
    said = json.loads((bundle / "clusters.json").read_text())
    assert len(said) == manifest.settings.clusters == 8
    assert all(len(words) == 5 for words in said)
    for item in items:
        identifier = Identifier.parse(item.identifier)
        assert 0 <= identifier.global_id < 8
        assert 0 < len(identifier.lexical_id) <= 4
        assert len(set(identifier.lexical_id)) == len(identifier.lexical_id)
        assert all(word in item.caption.lower() for word in identifier.lexical_id)


def test_held_out_captions_are_no_source(bundle: Path) -> None:
    store = ItemStore(bundle / "items.sqlite", ("test",))
    for image in store.of_split("test", "image"):
        for number in range(5):
            text = store.get(f"{image.id}#{number}")
            assert text is not None
            assert text.held_out == (text.caption not in image.caption)
            assert text.held_out == (number >= 2)


def test_only_the_gallery_is_in_the_trie(bundle: Path) -> None:
    store = ItemStore(bundle / "items.sqlite", ("test",))
    for kind in KINDS:
        expected = {item.identifier for item in store.of_split("test", kind)}
        assert set(Trie.load(bundle / f"{kind}.marisa")) == expected


def test_like_another_bundle_uses_its_clusters(
    bundle: Path, corpus: Corpus, tmp_path: Path
) -> None:
    manifest = build_bundle(corpus, tmp_path / "b", BuildSettings(clusters=3), like=bundle)
    assert manifest.settings.clusters == 8
    assert np.array_equal(np.load(bundle / "centroids.npy"), np.load(tmp_path / "b/centroids.npy"))


def test_items_that_share_an_identifier_are_kept_and_reported(
    corpus: Corpus, tmp_path: Path
) -> None:
    first = corpus.pictures[0]
    twins = [Picture(name, first.image, "train", first.captions) for name in ("a", "b")]
    same = Corpus("twins", corpus.image_root, twins, [])
    manifest = build_bundle(same, tmp_path / "twins", BuildSettings(clusters=2))
    assert manifest.counts["images"] == 2
    assert manifest.counts["image_identifiers"] == 1
    report = json.loads((tmp_path / "twins" / "report.json").read_text())
    assert report["collisions"]["image"]["rate"] == 1.0
    store = ItemStore(tmp_path / "twins" / "items.sqlite", ("train",))
    assert len({identifier for identifier, _ in store.identifiers("image")}) == 1


def test_a_picture_without_a_caption_needs_the_captioner(corpus: Corpus, tmp_path: Path) -> None:
    silent = Corpus("silent", corpus.image_root, [Picture("a", "a.png", "train", ())], [])
    with pytest.raises(CorpusError, match="--captioner"):
        build_bundle(silent, tmp_path / "silent", BuildSettings())


def test_views_lead_to_the_same_item(corpus: Corpus, tmp_path: Path) -> None:
    settings = BuildSettings(clusters=4, views=3)
    manifest = build_bundle(corpus, tmp_path / "b", settings)
    assert manifest.counts["items"] == 6 * len(corpus.pictures)
    store = ItemStore(tmp_path / "b" / "items.sqlite", ("train", "val", "test"))
    images = [item for item in store if item.kind == "image"]
    assert all(len(set(item.identifiers)) == len(item.identifiers) <= 3 for item in images)
    assert sum(len(item.views) for item in images) > len(images)
    trie = Trie.load(tmp_path / "b" / "image.marisa")
    for item in images:
        for text in item.identifiers:
            assert text in trie
    by_number: dict[int, set[str]] = {}
    for text, number in store.identifiers("image"):
        by_number.setdefault(number, set()).add(text)
    assert sorted(map(len, by_number.values())) == sorted(len(i.identifiers) for i in images)


def test_each_kind_has_its_keywords_in_the_order_asked_for(corpus: Corpus, tmp_path: Path) -> None:
    settings = BuildSettings(clusters=4, image_order="rarest", text_order="commonest")
    build_bundle(corpus, tmp_path / "b", settings)
    few = replace(corpus, pictures=corpus.pictures[:3])  # too few to tell what is rare
    build_bundle(few, tmp_path / "few", settings, like=tmp_path / "b")
    frequencies = json.loads((tmp_path / "b" / "frequencies.json").read_text())
    for folder in ("b", "few"):
        for item in ItemStore(tmp_path / folder / "items.sqlite", ()):
            words = Identifier.parse(item.identifier).lexical_id
            counts = [frequencies[word] for word in words]
            assert counts == sorted(counts, reverse=item.kind == "text")


@pytest.mark.parametrize("other", ["coco", "web dataset", "tsv in UTF-16"])
def test_the_same_corpus_in_another_layout_has_the_same_identifiers(
    other: str, tmp_path: Path
) -> None:
    encoder = Encoder(remember=True)
    found = []
    for layout in ("json lines", other):
        (tmp_path / layout).mkdir()
        corpus = read_corpus(LAYOUTS[layout](tmp_path / layout, drawn(40)))
        build_bundle(corpus, tmp_path / "bundle", BuildSettings(clusters=4), encoder=encoder)
        store = ItemStore(tmp_path / "bundle" / "items.sqlite", ())
        found.append([(item.id, item.identifiers) for item in store])
        store.close()
    assert found[0] == found[1]


class Seeing(Encoder):
    """Sees each picture as a photo of a boat."""

    sees = True  # type: ignore[assignment]

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        return self.encode(["a photo of a boat"] * len(images))


def test_pictures_alone_are_found_by_an_encoder_that_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "loaded_encoder", lambda _: Seeing())
    save(tmp_path, drawn(4))
    corpus = read_corpus(tmp_path / "pictures")
    manifest = build_bundle(corpus, tmp_path / "bundle", BuildSettings(clusters=1), guide="seeing")
    assert manifest.guide is not None
    assert (manifest.counts["images"], manifest.guide.picture_weight > 0) == (4, True)
    (image, *_) = ItemStore(tmp_path / "bundle" / "items.sqlite", ()).of_split("train", "image")
    assert "boat" in image.caption.split()[:2]


def test_a_grown_corpus_encodes_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    encode = Encoder.encode

    def counting(self: Encoder, texts: list[str]) -> Vectors:
        asked.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(Encoder, "encode", counting)
    for count in (20, 24):
        asked.clear()
        (tmp_path / str(count)).mkdir()
        corpus = read_corpus(LAYOUTS["json lines"](tmp_path / str(count), drawn(count)))
        settings = BuildSettings(clusters=2)
        build_bundle(corpus, tmp_path / "bundle", settings, kept=tmp_path / "kept")
    captions = [text for text in asked if text.endswith(".")]
    before, after = ({c for one in drawn(n) for c in one.captions} for n in (20, 24))
    assert sorted(captions) == sorted(after - before)
