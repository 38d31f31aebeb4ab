"""The offline job: corpus → vectors → identifiers → trie → bundle."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from offline.bundle.build_report import build_report
from offline.bundle.entries import Entry, entries_of, folded
from offline.corpus.corpus import Corpus
from offline.corpus.nearest_words import caption_by_words
from offline.corpus.picture import SPLITS, held_out_rule
from offline.guide.item_cells import write_cells
from offline.guide.item_vectors import encoded_items
from offline.identifiers.clusters import cluster_words, fit_clusters
from offline.identifiers.kept_vectors import KeepingEncoder
from offline.identifiers.schemes import SCHEMES, SID, Material, Scheme, Whole
from offline.workers import Here, SpreadEncoder, SpreadRanking, Workers
from semcore.bundle.bundle import (
    ITEMS,
    REPORT,
    TOKENS,
    CorpusRecord,
    Manifest,
    Order,
    SettingsRecord,
    check_place,
    read_manifest,
    staged,
)
from semcore.bundle.item import Item, write_items
from semcore.errors import CorpusError
from semcore.guide.guide import loaded_encoder
from semcore.identifiers.clusters import Clusters, assign_clusters
from semcore.identifiers.encoder import Encoder, Vectors, mean_vectors
from semcore.identifiers.identifier import Identifier, global_token, is_token
from semcore.identifiers.keywords import (
    KeywordRanker,
    Ranking,
    corpus_vectorizer,
    extract_keywords,
    word_frequencies,
)
from semcore.kind import KINDS
from semcore.pictures.picture_source import picture_source
from semcore.trie.trie import Trie


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How identifiers are made.

    Attributes:
        gallery: the splits that can be found; all if empty.
        scheme: a name of :data:`offline.identifiers.schemes.SCHEMES`.
        views: most identifiers of a picture: beside the one of all its source captions, one each
            of the first ones by themselves.
        image_order, text_order: of the keywords: as KeyBERT has them, which is the paper's, or the
            rarest or the commonest of the corpus first. A query that is a text has the rare words
            of the picture that it looks for; one that is a picture shows what is common surely.
    """

    clusters: int = 128
    keywords: int = 4
    cluster_words: int = 5
    encoder: str = ""
    seed: int = 0
    gallery: tuple[str, ...] = ()
    scheme: str = SID
    views: int = 1
    image_order: Order = "rarest"
    text_order: Order = "commonest"


SAME = ""
"""As a guide: the sentence encoder that the identifiers are made with."""


def build_bundle(
    corpus: Corpus,
    out: Path,
    settings: BuildSettings,
    like: Path | None = None,
    encoder: Encoder | None = None,
    workers: Workers | None = None,
    guide: str | None = SAME,
    kept: Path | None = None,
) -> Manifest:
    """Give every item an identifier and write the bundle ``out``; it has no model yet.

    Args:
        like: a bundle whose clusters are used again, so that its model fits this bundle too.
        encoder: in place of one loaded for this job.
        workers: who make vectors and keywords, in place of this process.
        guide: path or hub name of the dual encoder whose vectors the items have, or
            :data:`SAME`; None: they have none. A bundle that is like another one has its guide.
        kept: folder of vectors that are not made again.

    Raises:
        CorpusError: a picture has no caption and the guide does not see, no caption has a word, or
            there is no such split or scheme.
        BundleError: ``like`` is no bundle, or something else lies at ``out``.
    """
    if like is not None:
        older = read_manifest(like).settings
        settings = BuildSettings(**{**older.model_dump(), "gallery": settings.gallery})
        record = read_manifest(like).guide
        guide = None if record is None else record.encoder
    check_place(out)
    if any(not picture.sources for picture in corpus.pictures):
        corpus = caption_by_words(corpus, loaded_encoder(guide or settings.encoder))
    scheme = SCHEMES.get(settings.scheme)
    if scheme is None:
        raise CorpusError(f"{settings.scheme!r} is none of the schemes {', '.join(SCHEMES)}")
    gallery = settings.gallery or SPLITS
    there = {picture.split for picture in corpus.pictures}
    if settings.gallery and (strange := set(settings.gallery) - there):
        raise CorpusError(
            f"no picture is of the split {', '.join(sorted(strange))}; there are "
            f"{', '.join(sorted(there))}"
        )
    entries = entries_of(corpus.pictures, settings.views)
    # 1. Vectors: of each caption, and for a picture the mean of its sources.
    rank = SpreadRanking(workers or Here())
    if workers is not None:
        encoder = SpreadEncoder(settings.encoder, workers)
    encoder = _keeping(encoder or Encoder(settings.encoder), kept)
    captions = encoder.encode([caption for entry in entries for caption in entry.sources])
    vectors = mean_vectors(captions, [len(entry.sources) for entry in entries])
    documents = [" ".join(entry.sources) for entry in entries]
    # 2. Global IDs, learned from the training split where there is one.
    whole = np.array([not entry.is_view for entry in entries])
    learned = whole & np.array([entry.item.split == "train" for entry in entries])
    if not learned.any():
        learned = whole
    vectorizer = corpus_vectorizer(documents)
    if like is None:
        frequencies = word_frequencies(documents, vectorizer)
        centroids = fit_clusters(vectors[learned], settings.clusters, settings.seed)
        chosen = [document for document, use in zip(documents, learned, strict=True) if use]
        said = cluster_words(
            chosen,
            assign_clusters(vectors[learned], centroids),
            len(centroids),
            vectorizer,
            settings.cluster_words,
        )
        clusters = Clusters(centroids, said, frequencies)
    else:
        clusters = Clusters.load(like)
    assignment = clusters.assign(vectors)
    # 3. Lexical IDs, or what another scheme has in their place.
    clustered = _Clustered(vectors, learned, assignment, clusters)
    keywords = _Keywords(encoder, documents, clustered, vectorizer, settings.keywords, rank)
    items = folded(_identified(entries, documents, clustered, keywords, scheme, settings, corpus))
    # 4. Vectors of the guide.
    items.sort(key=lambda item: item.id)
    guided = None
    if guide is not None:
        rows = {entry.item.id: row for row, entry in enumerate(entries) if not entry.is_view}
        own = [rows[item.id] for item in items]
        if guide in (SAME, settings.encoder):
            seer, sayings = encoder, vectors
        else:
            seer = _keeping(loaded_encoder(guide), kept)
            told = seer.encode([caption for entry in entries for caption in entry.sources])
            sayings = mean_vectors(told, [len(entry.sources) for entry in entries])
        guided = encoded_items(seer, items, sayings[own], corpus.image_root)
    # 5. Bundle.
    manifest = Manifest(
        corpus=CorpusRecord(
            name=corpus.name,
            fingerprint=corpus.fingerprint,
            image_root=corpus.image_root,
            linked=corpus.linked,
            held_out_rule=held_out_rule(corpus.source_captions),
            source_captions=corpus.source_captions,
        ),
        settings=SettingsRecord(
            **{**asdict(settings), "clusters": len(clusters.centroids), "gallery": tuple(gallery)}
        ),
        counts=count_items(items, gallery),
        guide=None if guided is None else guided.record,
    )
    with staged(out, manifest) as stage:
        write_item_files(stage, items, gallery)
        if guided is not None:
            guided.save(stage)
            write_cells(stage, gallery)
        clusters.save(stage)
        (stage / TOKENS).write_text(json.dumps(_new_tokens(items, clusters.words)))
        (stage / REPORT).write_text(json.dumps(build_report(corpus, items, gallery), indent=2))
    return manifest


def _keeping(encoder: Encoder, kept: Path | None) -> Encoder:
    return encoder if kept is None else KeepingEncoder(encoder, kept)


def usual_clusters(pictures: int) -> int:
    """The power of two that is nearest to the root of the number of pictures, by its logarithm; at
    most the 128 of the paper."""
    return min(128, 1 << round(math.log2(max(1, pictures)) / 2))


def write_item_files(stage: Path, items: Sequence[Item], gallery: Sequence[str]) -> None:
    """The store of all items, and the tries of those that can be found."""
    write_items(stage / ITEMS, items, gallery)
    for kind in KINDS:
        shown = (i for i in items if i.kind == kind and i.split in gallery)
        trie = Trie.build(text for item in shown for text in item.identifiers)
        trie.save(stage / f"{kind}.marisa")


def count_items(items: Sequence[Item], gallery: Sequence[str]) -> dict[str, int]:
    """All items, and of each kind those that can be found and their identifiers."""
    counts = {"items": len(items)}
    for kind in KINDS:
        shown = [item for item in items if item.kind == kind and item.split in gallery]
        counts[f"{kind}s"] = len(shown)
        counts[f"{kind}_identifiers"] = len({text for i in shown for text in i.identifiers})
    return counts


@dataclass(frozen=True, slots=True)
class _Clustered:
    """All entries and their clusters; see :class:`offline.identifiers.schemes.Material`."""

    vectors: Vectors
    learned: NDArray[np.bool_]
    assignment: NDArray[np.int64]
    clusters: Clusters


@dataclass(frozen=True)
class _Keywords:
    """Keywords of any of the entries, made only where a scheme wants them."""

    encoder: Encoder
    documents: list[str]
    clustered: _Clustered
    vectorizer: CountVectorizer
    count: int
    rank: Ranking

    @cached_property
    def _ranker(self) -> KeywordRanker:
        return KeywordRanker.of(self.encoder, self.vectorizer, self.count)

    def of(
        self, rows: NDArray[np.int64], order: Order, deduplicated: bool
    ) -> list[tuple[str, ...]]:
        clusters = self.clustered.clusters
        said = clusters.words
        return extract_keywords(
            self._ranker,
            [self.documents[row] for row in rows],
            self.clustered.vectors[rows],
            self.clustered.assignment[rows],
            said if deduplicated else [[]] * len(said),
            self.vectorizer,
            order,
            clusters.frequencies,
            self.rank,
        )


def _identified(
    entries: Sequence[Entry],
    documents: Sequence[str],
    clustered: _Clustered,
    keywords: _Keywords,
    scheme: Scheme,
    settings: BuildSettings,
    corpus: Corpus,
) -> list[Item]:
    """The items with their identifiers, which need to differ within a kind only."""
    items: list[Item] = []
    whole = Whole(clustered.vectors, clustered.learned, settings.seed)
    for kind in KINDS:
        rows = np.array([row for row, entry in enumerate(entries) if entry.item.kind == kind])
        own = [entries[row].item for row in rows]
        order = settings.image_order if kind == "image" else settings.text_order
        material = Material(
            captions=[documents[row] for row in rows],
            whole=whole,
            rows=rows,
            clusters=clustered.assignment[rows],
            pictures=[
                picture_source(corpus.image_root, item.image) if item.image else None
                for item in own
            ],
            keywords=partial(keywords.of, rows, order),
        )
        items += [
            replace(item, identifier=identifier.text)
            for item, identifier in zip(own, scheme.identify(material), strict=True)
        ]
    return items


def _new_tokens(items: Sequence[Item], said: Sequence[Sequence[str]]) -> dict[str, Sequence[str]]:
    """The tokens that a model needs beside words, each with the words that it is near to.

    There is one for each cluster, also for one that has no item yet.
    """
    texts = {text for item in items for text in item.identifiers}
    parts = {part for text in texts for part in Identifier.parse(text).parts}
    codes = sorted(part for part in parts if is_token(part))
    clusters = {global_token(cluster): words for cluster, words in enumerate(said)}
    if not clusters.keys() & set(codes):
        return dict.fromkeys(codes, ())
    return {**clusters, **{code: () for code in codes if code not in clusters}}
