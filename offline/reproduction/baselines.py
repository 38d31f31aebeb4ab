"""The classical systems, trained and asked: two towers with exact search, a re-ranker on top."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from offline.evaluation.query_runner import Answered, Questions, chosen_queries
from offline.image_inputs import picture_reader
from offline.model.backbone import keep_comparing, load_model, on_device
from offline.reproduction.answers import answered, write_answers
from offline.reproduction.re_ranker import match_odds
from offline.reproduction.two_tower import TwoTower, exact_search
from offline.stored_items import training_items
from offline.training.candidates import CandidateDataset, as_query, choose_queries
from offline.training.data_mix import Lesson, Part
from offline.training.presets import TrainSettings
from offline.training.trainer import FitSettings, fit
from offline.training.verification import VerificationDataset, said_words
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.flush import write_whole
from semcore.identifiers.encoder import Encoder, Vectors
from semcore.kind import DIRECTIONS, Direction, target_kind

_CANDIDATES = 10
_SHOWN = 20
_MODEL, _TRAINED = "model", "trained.seconds"

_Judge = Callable[[Sequence[Item], Sequence[Sequence[Item]]], Sequence[Vectors]]
"""For queries and the candidates of each the log-odds that they match."""


def make_towers(
    bundle: Path,
    base: Path,
    folder: Path,
    settings: TrainSettings,
    encoder: Encoder,
    limit: int | None,
    features: Path,
) -> float:
    """Train two towers on ``settings.samples`` samples of a bundle's training split and ask them
    its test queries. The model goes to ``folder / "model"``, the answers beside it.

    Args:
        features: what the frozen encoder saw, of a base that sees by one.

    Returns:
        Seconds that the training took.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    root = _root(bundle)

    def train() -> None:
        towers = TwoTower.load(base, root, features)
        known = list(training_items(bundle))
        captions = encoder.encode([item.caption for item in known if item.kind == "text"])
        towers.fit(known, captions, settings.samples, settings.learning_rate, settings.seed)
        towers.save(folder / _MODEL)

    seconds = _once(folder, train)
    _write_answers(folder, bundle, TwoTower.load(folder / _MODEL, root, features), limit)
    return seconds


def make_re_ranker(
    bundle: Path,
    base: Path,
    towers: Path,
    folder: Path,
    settings: TrainSettings,
    limit: int | None,
    features: Path,
) -> float:
    """Train a second model, on as many samples, to re-rank what two towers find, and ask it.

    Args:
        towers: the folder that :func:`make_towers` has written; the other arguments are its own.

    Returns:
        Seconds that the training took.
    """
    root = _root(bundle)
    first = TwoTower.load(towers / _MODEL, root, features)
    seconds = _once(
        folder,
        lambda: _train_re_ranker(bundle, base, folder / _MODEL, settings, first, features),
    )
    model, processor = load_model(folder / _MODEL)
    model = on_device(model)
    pictures = picture_reader(processor, folder / _MODEL, features)

    def judge(queries: Sequence[Item], sets: Sequence[Sequence[Item]]) -> Sequence[Vectors]:
        return match_odds(model, processor, pictures, [as_query(q) for q in queries], sets, root)

    _write_answers(folder, bundle, first, limit, judge)
    return seconds


def _once(folder: Path, train: Callable[[], None]) -> float:
    """The seconds that a training takes, or took: what has ended is not begun again."""
    told = folder / _TRAINED
    if not told.exists():
        began = time.perf_counter()
        train()
        write_whole(told, f"{time.perf_counter() - began}")
    return float(told.read_text())


def _write_answers(
    folder: Path, bundle: Path, towers: TwoTower, limit: int | None, judge: _Judge | None = None
) -> None:
    answers: dict[Direction, list[Answered]] = {}
    splits = read_manifest(bundle).settings.gallery
    store = ItemStore(bundle / "items.sqlite", splits)
    for direction in DIRECTIONS:
        queries = chosen_queries(bundle, Questions(direction, limit=limit))
        kind = target_kind(direction)
        gallery = [item for split in splits for item in store.of_split(split, kind)]
        places, likeness = exact_search(towers.encode(queries), towers.encode(gallery), _SHOWN)
        scores = list(likeness * towers.sharpness)
        if judge is not None:
            # As in the product's verification: what was found is the prior, odds the evidence.
            sets = [[gallery[at] for at in row[:_CANDIDATES]] for row in places]
            odds = judge(queries, sets)
            scores = [near[: len(said)] + said for near, said in zip(scores, odds, strict=True)]
        answers[direction] = [
            answered(query, [gallery[at] for at in row], near, score)
            for query, row, near, score in zip(queries, places, likeness, scores, strict=True)
        ]
    store.close()
    write_answers(folder, answers)


def _train_re_ranker(
    bundle: Path, base: Path, out: Path, settings: TrainSettings, towers: TwoTower, features: Path
) -> None:
    """On pairs, right and wrong, and on what the towers find for training queries."""
    model, processor = load_model(base)
    items, root = list(training_items(bundle)), _root(bundle)
    if settings.keep_comparing:
        keep_comparing(model)
    queries = choose_queries(items, settings.gsv_queries, settings.seed)
    item_of = {as_query(item): item for item in items}
    sets: list[Sequence[Item]] = []
    for direction in DIRECTIONS:
        gallery = [item for item in items if item.kind == target_kind(direction)]
        asked = [item_of[query] for query in queries if query.direction == direction]
        places, _ = exact_search(towers.encode(asked), towers.encode(gallery), _CANDIDATES)
        sets += [[gallery[at] for at in row] for row in places]
    said = said_words(items) if settings.checks else None
    candidates = CandidateDataset(queries, sets, root, said)
    pairs = VerificationDataset(items, root, settings.seed, checked=settings.checks)
    rest = max(0.0, settings.samples - len(candidates)) / len(pairs)
    parts = [Part(candidates, (candidates.sizes,)), Part(pairs, (pairs.sizes,), rest)]
    lesson = Lesson.of(parts, settings)
    own = FitSettings.of(settings, settings.samples / len(lesson.sampler))
    read = picture_reader(processor, base, features)
    fit(model, processor, read, lesson.data, lesson.sampler, own, out)


def _root(bundle: Path) -> str:
    return read_manifest(bundle).corpus.image_root
