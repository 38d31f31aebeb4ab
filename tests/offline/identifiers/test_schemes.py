"""Each scheme gives every item an identifier that goes to text and back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.corpus.picture import text_id
from offline.identifiers.schemes import SCHEMES, Material, Whole
from semcore.bundle.bundle import TOKENS, check_bundle
from semcore.bundle.item import Item, ItemStore
from semcore.errors import CorpusError
from semcore.identifiers.encoder import Encoder
from semcore.identifiers.identifier import Identifier, is_token
from semcore.kind import KINDS

OF_PICTURES = ("rq-pictures", "irgen", "avg")
SHARED = {"sid", "sid-without-deduplication", "sid-without-cluster"}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(remember=True)


def items_of(bundle: Path) -> list[Item]:
    store = ItemStore(bundle / "items.sqlite", ("test",))
    items = list(store)
    store.close()
    return items


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_item_has_an_identifier(
    scheme: str, corpus: Corpus, encoder: Encoder, tmp_path: Path
) -> None:
    settings = BuildSettings(clusters=4, scheme=scheme)
    build_bundle(corpus, tmp_path / "b", settings, encoder=encoder)
    assert check_bundle(tmp_path / "b").settings.scheme == scheme
    items = items_of(tmp_path / "b")
    tokens = json.loads((tmp_path / "b" / TOKENS).read_text())
    for kind in KINDS:
        texts = [item.identifier for item in items if item.kind == kind]
        parsed = [Identifier.parse(text) for text in texts]
        assert [one.text for one in parsed] == texts
        assert {part for one in parsed for part in one.parts if is_token(part)} <= tokens.keys()
        if scheme not in SHARED:
            assert len(set(texts)) == len(texts)
    with_cluster = scheme.startswith("sid") and scheme != "sid-without-cluster"
    assert all(
        (Identifier.parse(i.identifier).global_id is not None) == with_cluster for i in items
    )


def test_deduplication_leaves_out_what_the_cluster_says(
    corpus: Corpus, encoder: Encoder, tmp_path: Path
) -> None:
    shares = {}
    for scheme in ("sid", "sid-without-deduplication"):
        settings = BuildSettings(clusters=4, keywords=3, scheme=scheme)
        build_bundle(corpus, tmp_path / scheme, settings, encoder=encoder)
        said = json.loads((tmp_path / scheme / "clusters.json").read_text())
        identifiers = [Identifier.parse(item.identifier) for item in items_of(tmp_path / scheme)]
        repeated = [len(set(said[one.global_id or 0]) & set(one.lexical_id)) for one in identifiers]
        shares[scheme] = sum(repeated) / len(repeated)
    assert shares["sid"] < shares["sid-without-deduplication"] / 2


def test_names_the_schemes_that_there_are(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="none of the schemes sid, "):
        build_bundle(corpus, tmp_path / "b", BuildSettings(scheme="magic"))


@pytest.mark.parametrize("scheme", ["semantic", "sid-without-cluster"])
def test_captions_without_a_word_of_use_have_identifiers(
    scheme: str, corpus: Corpus, encoder: Encoder, tmp_path: Path
) -> None:
    first, second, *others = corpus.pictures
    odd = [
        replace(first, captions=("-> <- <>", "<", "> >", "boat -> house", "<<a>>")),
        replace(second, captions=("This is a picture of something.",) * 2),
    ]
    settings = BuildSettings(clusters=4, scheme=scheme)
    build_bundle(
        replace(corpus, pictures=[*odd, *others]), tmp_path / "b", settings, encoder=encoder
    )
    for item in items_of(tmp_path / "b"):
        assert Identifier.parse(item.identifier).text == item.identifier != ""


@pytest.mark.parametrize(
    ("scheme", "same"), [("structured", -1), ("dsi", -1), ("nci", -1), ("rq", 3)]
)
def test_a_code_means_the_same_of_pictures_and_texts(
    scheme: str, same: int, corpus: Corpus, encoder: Encoder, tmp_path: Path
) -> None:
    """A picture and the only caption that it is made of have one vector; leaves are numbered."""
    pictures = [replace(picture, source_captions=1) for picture in corpus.pictures]
    whole = replace(corpus, pictures=pictures)
    build_bundle(whole, tmp_path / "b", BuildSettings(scheme=scheme), encoder=encoder)
    spelled = {i.id: Identifier.parse(i.identifier).parts for i in items_of(tmp_path / "b")}
    tested = [picture.id for picture in pictures if picture.split == "test"]
    alike = [spelled[one][:same] == spelled[text_id(one, 0)][:same] for one in tested]
    # k-means may part equal vectors only where a leaf is full of them.
    assert sum(alike) > 0.9 * len(alike)


@pytest.fixture(scope="module")
def of_pictures(
    corpus: Corpus, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Item]]:
    """The items of each scheme that sees pictures."""
    folder = tmp_path_factory.mktemp("of-pictures")
    for scheme in OF_PICTURES:
        settings = BuildSettings(clusters=8, scheme=scheme)
        build_bundle(corpus, folder / scheme, settings, encoder=encoder, guide=None)
    return {scheme: items_of(folder / scheme) for scheme in OF_PICTURES}


@pytest.mark.parametrize("scheme", OF_PICTURES)
def test_codes_of_pictures_are_no_codes_of_texts(
    scheme: str, of_pictures: dict[str, list[Item]]
) -> None:
    tokens = {
        kind: {
            part
            for item in of_pictures[scheme]
            if item.kind == kind
            for part in Identifier.parse(item.identifier).parts
            if is_token(part)
        }
        for kind in KINDS
    }
    assert all(tokens.values())
    assert tokens["image"].isdisjoint(tokens["text"])


def test_schemes_of_pictures_differ_in_these_only(of_pictures: dict[str, list[Item]]) -> None:
    told = {
        kind: {
            tuple(item.identifier for item in items if item.kind == kind)
            for items in of_pictures.values()
        }
        for kind in KINDS
    }
    assert len(told["text"]) == 1
    assert len(told["image"]) == len(OF_PICTURES)


def test_each_learns_what_its_paper_teaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """IRGen's codes change with the clusters, AVG's with the captions, those of looks with none."""
    count = 40
    seen = torch.rand(count, 9, 16, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("offline.identifiers.schemes.see_pictures", lambda sources: iter([seen]))
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    as_it_is = Material(
        captions=["boat"] * count,
        whole=Whole(vectors, np.ones(count, dtype=bool), 0),
        rows=np.arange(count),
        clusters=rng.integers(4, size=count),
        pictures=[Path(f"{row}.png") for row in range(count)],
        keywords=lambda deduplicated: [("boat",)] * count,
    )
    other_captions = replace(as_it_is, whole=replace(as_it_is.whole, vectors=vectors[::-1].copy()))
    other_clusters = replace(as_it_is, clusters=as_it_is.clusters[::-1].copy())
    changes = {}
    for scheme in OF_PICTURES:
        spelled = [
            [one.text for one in SCHEMES[scheme].identify(material)]
            for material in (as_it_is, other_captions, other_clusters)
        ]
        changes[scheme] = (spelled[1] != spelled[0], spelled[2] != spelled[0])
    assert changes == {
        "rq-pictures": (False, False),
        "irgen": (False, True),
        "avg": (True, False),
    }
