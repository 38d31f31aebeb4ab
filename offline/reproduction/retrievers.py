"""Retrievers that need no training of their own: rivals made of parts that the product ships.

They search what SemCORE searches, with the vectors of its bundle's guide, the captions that its
identifiers are made of, and its model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.evaluation.guided_weights import fit_guided
from offline.evaluation.query_runner import Answered, Questions, Shown, chosen_queries
from offline.evaluation.score_weights import fused
from offline.image_inputs import opened_pictures, picture_reader
from offline.model.backbone import load_model, on_device
from offline.reproduction.answers import answered, write_answers
from offline.reproduction.re_ranker import descriptions, match_odds
from offline.reproduction.two_tower import exact_search
from offline.training.candidates import as_query
from semcore.bundle.bundle import ITEMS, Manifest, read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.errors import BundleError, SemcoreError
from semcore.extras import MissingExtraError
from semcore.guide.guide import Guide, loaded_encoder, open_guide
from semcore.guide.vectors import VectorTable, caption_table, unit
from semcore.identifiers.encoder import Vectors
from semcore.kind import DIRECTIONS, Direction, target_kind
from semcore.model.eyesight import side_seen
from semcore.model.prompt import excerpt

RETRIEVERS: Mapping[str, str] = {
    "caption-search": "caption search (sentence encoder)",
    "bm25": "BM25 over captions",
    "looks": "looks alone (projected pictures)",
    "captions-and-looks": "captions and looks, exact",
    "hnsw": "captions and looks, HNSW",
    "hnsw-verified": "captions and looks, HNSW, verified by SemCORE's model",
    "hnsw-described": "captions and looks, HNSW, verified by descriptions",
}
"""Their titles by name."""
VERIFIED = frozenset({"hnsw-verified", "hnsw-described"})
"""Those whose first candidates a model judges."""
Found = Sequence[tuple[NDArray[np.int64], Vectors]]
"""For each query places in the gallery, int64 [found], and what they were found by, float32
[found], best first."""

_SHOWN = 20
_CANDIDATES = 10
_SHARPNESS = 20.0
_LINKS, _BREADTH = 32, 64  # M and efSearch of the graph
_ASKED_BY_TEXTS = ("caption-search", "bm25", "captions-and-looks")


def ask_retriever(
    name: str,
    bundle: Path,
    model: Path,
    folder: Path,
    limit: int | None,
    features: Path,
) -> None:
    """Ask a retriever the test queries of a bundle. Its answers go into ``folder``.

    ``caption-search``
        The encoder's vectors of the query and of the captions that an identifier is made of.
    ``bm25``
        The words of the same captions (:func:`word_search`).
    ``looks``
        What the guide's projection makes of a picture, beside the vectors of captions.
    ``captions-and-looks``
        The bundle's own vectors of both together, each compared.
    ``hnsw``
        The same vectors in a graph (:func:`graph_search`).
    ``hnsw-verified``
        The ten best of these, judged by SemCORE's model. As in the product's verification, what
        they were found by is the prior and the log-odds are the evidence: the score is
        20 · cosine + log-odds. The 20 is a temperature of 0.05, and is fitted on nothing.
    ``hnsw-described``
        The same ten, judged by how SemCORE's model describes pictures, for one that has learned no
        other judgement. How much that weighs is fitted on validation queries, by the rule that
        SemCORE's own weights are fitted by (:func:`offline.evaluation.guided_weights.fit_guided`).

    A picture that asks has no words, so ``caption-search`` and ``bm25`` have no answers image to
    text. Nor has ``captions-and-looks``, which would be ``looks`` there.

    Args:
        name: a key of :data:`RETRIEVERS`.
        bundle, model: SemCORE's.
        features: what the frozen encoder saw, of a model that sees by one.

    Raises:
        SemcoreError: there is no such retriever.
        BundleError: the bundle has no guide.
        MissingExtraError: faiss or bm25s is not installed.
    """
    if name not in RETRIEVERS:
        raise SemcoreError(f"{name!r} is no retriever; there are {', '.join(RETRIEVERS)}")
    manifest = read_manifest(bundle)
    if manifest.guide is None:
        raise BundleError(f"{bundle} has no guide's vectors; delete it, and it is built again")
    guide = open_guide(manifest.guide.encoder, model, manifest.guide.picture_weight)
    answers: dict[Direction, list[Answered]] = {}
    for direction in DIRECTIONS:
        if direction == "image-to-text" and name in _ASKED_BY_TEXTS:
            continue
        search = _Search(bundle, model, manifest, guide, direction, limit)
        if name == "hnsw-described":
            answers[direction] = _weighed_by_validation(search, features)
            continue
        found = _found(name, search)
        scores = [near for _, near in found]
        if name == "hnsw-verified":
            sets = [[search.gallery[at] for at in places[:_CANDIDATES]] for places, _ in found]
            said = _odds(search, sets, features)
            scores = [
                _SHARPNESS * near[: len(odds)] + odds
                for near, odds in zip(scores, said, strict=True)
            ]
        answers[direction] = [
            answered(query, [search.gallery[at] for at in places], near, score)
            for query, (places, near), score in zip(search.queries, found, scores, strict=True)
        ]
    write_answers(folder, answers)


def word_search(queries: Sequence[str], gallery: Sequence[str], top_k: int) -> Found:
    """BM25 in Lucene's variant (k1 = 1.5, b = 0.75) by bm25s (Lù, 2024), without English stop
    words and without stemming; what shares no word with a query is not found.

    Raises:
        MissingExtraError: bm25s is not installed.
    """
    try:
        import bm25s
    except ImportError as error:
        raise MissingExtraError("search by words", "rivals") from error

    def words(texts: Sequence[str]) -> list[list[str]]:
        found: list[list[str]] = bm25s.tokenize(list(texts), return_ids=False, show_progress=False)
        return found

    index = bm25s.BM25()
    index.index(words(gallery), show_progress=False)
    found = []
    for asked in words(queries):
        none = np.zeros(len(gallery), dtype=np.float32)
        scores = np.asarray(index.get_scores(asked) if asked else none, dtype=np.float32)
        order = np.argsort(-scores, kind="stable")[:top_k]
        order = order[scores[order] > 0]
        found.append((order, scores[order]))
    return found


def graph_search(queries: Vectors, gallery: Vectors, top_k: int) -> Found:
    """The nearest by inner product in an HNSW graph (Malkov and Yashunin, 2018) of faiss, with
    M = 32 and efSearch = 64: nearly all of them.

    Args:
        queries, gallery: float32 [queries or items, dimension], unit length.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("search in a graph of vectors", "rivals") from error
    index = faiss.IndexHNSWFlat(gallery.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = _BREADTH
    index.add(gallery)
    likeness, places = index.search(queries, min(top_k, len(gallery)))
    # What the graph did not lead to has the place -1.
    return [(row[row >= 0], near[row >= 0]) for row, near in zip(places, likeness, strict=True)]


@dataclass(frozen=True)
class _Search:
    """What a direction is searched with, each part made where it is needed."""

    bundle: Path
    model: Path
    manifest: Manifest
    guide: Guide
    direction: Direction
    limit: int | None
    split: str = "test"

    @cached_property
    def queries(self) -> list[Item]:
        asked = Questions(self.direction, split=self.split, limit=self.limit)
        return chosen_queries(self.bundle, asked)

    @cached_property
    def _numbered(self) -> list[tuple[int, Item]]:
        """The gallery, with the numbers of its items in the bundle."""
        splits, kind = self.manifest.settings.gallery, target_kind(self.direction)
        store = ItemStore(self.bundle / ITEMS, splits)
        found = [one for split in splits for one in store.numbered(split, kind)]
        store.close()
        return found

    @cached_property
    def gallery(self) -> list[Item]:
        return [item for _, item in self._numbered]

    @cached_property
    def asked(self) -> Vectors:
        """The guide's vectors of the queries, float32 [queries, dimension], unit length."""
        if self.direction == "image-to-text":
            return self.looks(self.queries)
        return self.guide.encode_texts([excerpt(query.caption) for query in self.queries])

    @cached_property
    def said(self) -> Vectors:
        """The text encoder's own vectors of the queries, as the captions have them."""
        assert self.manifest.guide is not None
        encoder = loaded_encoder(self.manifest.guide.encoder)
        return encoder.encode([excerpt(query.caption) for query in self.queries])

    def looks(self, pictures: Sequence[Item]) -> Vectors:
        """What the guide makes of pictures, float32 [pictures, dimension], unit length."""
        sources = [self.manifest.corpus.picture_source(item) for item in pictures]
        chunks = opened_pictures(sources, side_seen(self.model))
        return np.concatenate([self.guide.encode_images(chunk) for chunk in chunks])

    def stored(self, table: VectorTable) -> Vectors:
        """The vectors of the gallery, float32 [items, dimension], unit length."""
        return unit(table.rows[[number for number, _ in self._numbered]])


def _found(name: str, search: _Search) -> Found:
    if name == "bm25":
        texts = [excerpt(query.caption) for query in search.queries]
        return word_search(texts, [item.caption for item in search.gallery], _SHOWN)
    if name in ("hnsw", "hnsw-verified"):
        return graph_search(search.asked, search.stored(VectorTable(search.bundle)), _SHOWN)
    if name == "caption-search":
        asked, gallery = search.said, search.stored(caption_table(search.bundle))
    elif name == "looks" and search.direction == "text-to-image":
        asked, gallery = search.asked, search.looks(search.gallery)
    else:
        asked, gallery = search.asked, search.stored(VectorTable(search.bundle))
    places, near = exact_search(asked, gallery, _SHOWN)
    return list(zip(places, near, strict=True))


def _odds(search: _Search, sets: Sequence[Sequence[Item]], features: Path) -> Sequence[Vectors]:
    """For each query the log-odds of its candidates by SemCORE's model, float32 [candidates]."""
    return _judged(match_odds, search, sets, features)


def _judged(
    judge: Callable[..., list[Vectors]],
    search: _Search,
    sets: Sequence[Sequence[Item]],
    features: Path,
) -> list[Vectors]:
    model, processor = load_model(search.model)
    pictures = picture_reader(processor, search.model, features)
    queries = [as_query(query) for query in search.queries]
    root = search.manifest.corpus.image_root
    return judge(on_device(model), processor, pictures, queries, sets, root)


def _weighed_by_validation(search: _Search, features: Path) -> list[Answered]:
    validation = _described(replace(search, split="val"), features)
    weights = fit_guided(validation).calibration
    answers = [fused(one, weights) for one in _described(search, features)]
    return [replace(one, items=[]) for one in answers]


def _described(search: _Search, features: Path) -> list[Answered]:
    """What the graph finds, with the descriptions of the first ten; in no order yet."""
    found = _found("hnsw", search)
    sets = [[search.gallery[at] for at in places[:_CANDIDATES]] for places, _ in found]
    told = _judged(descriptions, search, sets, features)
    answers = []
    for query, (places, near), said in zip(search.queries, found, told, strict=True):
        known = dict(zip(places.tolist(), said.tolist(), strict=False))
        items = [
            Shown(
                search.gallery[at].id,
                logprob=None,
                odds=None,
                right=search.gallery[at].pair == query.pair,
                description=known.get(at),
                cosine=cosine,
            )
            for at, cosine in zip(places.tolist(), near.tolist(), strict=True)
        ]
        answers.append(
            Answered(query.id, None, None, 0.0, False, 0.0, items=items, pair=query.pair)
        )
    return answers
