"""An item that is added gets the identifier that it would have been built with."""

from dataclasses import replace
from pathlib import Path

import pytest

from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import ItemStore
from semcore.errors import BundleError
from semcore.identifiers.encoder import Encoder
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.naming import Namer


def test_names_as_the_offline_job_does(corpus: Corpus, tmp_path: Path) -> None:
    encoder = Encoder(remember=True)
    bundle = tmp_path / "bundle"
    first, *others = corpus.pictures
    silent = replace(first, captions=("This is a picture of something.", *first.captions))
    corpus = replace(corpus, pictures=[silent, *others])
    build_bundle(corpus, bundle, BuildSettings(clusters=6), encoder=encoder)
    namer = Namer(bundle, read_manifest(bundle).settings, encoder)
    sources = {picture.id: picture.sources for picture in corpus.pictures}
    store = ItemStore(bundle / "items.sqlite", ())
    items = list(store)[:120]
    assert any(Identifier.parse(item.identifier).lexical_id == () for item in items)
    assert {item.kind for item in items} == {"image", "text"}
    for item in items:
        captions = sources[item.id] if item.kind == "image" else (item.caption,)
        assert namer.name(item.kind, captions).text == item.identifier
    store.close()


def test_says_what_it_cannot_name(corpus: Corpus, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    build_bundle(corpus, bundle, BuildSettings(clusters=6, scheme="numeric"))
    with pytest.raises(BundleError, match="the scheme 'numeric'"):
        Namer(bundle, read_manifest(bundle).settings)
