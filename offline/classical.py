"""The classical systems, trained and asked: two towers with exact search, a re-ranker on top."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from torch.utils.data import ConcatDataset, Dataset

from offline.backbone import keep_comparing, load_model, on_device, save_model
from offline.candidates import CandidateDataset, as_query, choose_queries
from offline.encoder import Encoder
from offline.evaluation import ANSWERS_LOG
from offline.fitting import FitSettings, fit
from offline.pairs import Sample
from offline.pictures import PictureReader, picture_reader
from offline.presets import TrainSettings
from offline.questions import Answered, Questions, chosen_queries
from offline.re_ranker import match_odds
from offline.sampler import BlockSampler
from offline.two_tower import TwoTower, exact_search
from offline.verification import VerificationDataset, said_words
from semcore.bundle import read_manifest
from semcore.item import Item, ItemStore
from semcore.prompt import DIRECTIONS, Direction, target_kind

_CANDIDATES = 10
_SHOWN = 20


def make_classical(
    bundle: Path,
    base: Path,
    folder: Path,
    settings: TrainSettings,
    encoder: Encoder,
    limit: int | None,
    features: Path,
) -> None:
    """Train towers and re-ranker on a bundle's training split and ask them its test queries.

    Each sees ``settings.samples`` samples. The models go to ``folder / "model"`` and
    ``folder / "re-ranker"``, the answers beside them.

    Args:
        features: what the frozen encoder saw, of a base that sees by one.

    Raises:
        ModelError: faiss is not installed.
    """
    manifest = read_manifest(bundle)
    root, gallery_splits = Path(manifest.corpus.image_root), manifest.settings.gallery
    store = ItemStore(bundle / "items.sqlite", ("train", *gallery_splits))
    known = [*store.of_split("train", "image"), *store.of_split("train", "text")]
    backbone, processor = load_model(base)
    backbone = on_device(backbone)
    pictures = picture_reader(processor, base, features)
    towers = TwoTower(backbone, processor, pictures, root)
    captions = encoder.encode([item.caption for item in known if item.kind == "text"])
    towers.fit(known, captions, settings.samples, settings.learning_rate, settings.seed)
    save_model(backbone, processor, folder / "model")
    _train_re_ranker(known, base, folder / "re-ranker", settings, towers, root, pictures)
    re_ranker = on_device(load_model(folder / "re-ranker")[0])
    found: dict[Direction, list[Answered]] = {}
    for direction in DIRECTIONS:
        queries = chosen_queries(bundle, Questions(direction, limit=limit))
        kind = target_kind(direction)
        gallery = [i for split in gallery_splits for i in store.of_split(split, kind)]
        places, likeness = exact_search(towers.encode(queries), towers.encode(gallery), _SHOWN)
        sets = [[gallery[at] for at in row[:_CANDIDATES]] for row in places]
        asked = [as_query(item) for item in queries]
        odds = match_odds(re_ranker, processor, pictures, asked, sets, root)
        found[direction] = []
        for query, row, near, said in zip(queries, places, likeness, odds, strict=True):
            right = [gallery[at].pair == query.pair for at in row]
            # As in the product's verification: what was found is the prior, odds the evidence.
            judged = near[:_CANDIDATES] * towers.sharpness + said
            order = [*(-judged).argsort(kind="stable"), *range(len(judged), len(right))]
            answered = Answered(
                query=query.id,
                verified=_first([right[at] for at in order]),
                beam=_first(right),
                lead=float(near[0] - near[1]),
                first_changed=bool(order[0]),
                illegal=0.0,
            )
            found[direction].append(answered)
    store.close()
    rows = {direction: [asdict(one) for one in answers] for direction, answers in found.items()}
    (folder / ANSWERS_LOG).write_text(json.dumps(rows))


def read_answers(file: Path) -> dict[Direction, list[Answered]]:
    """What :func:`make_classical` left: ranks of the towers as ``beam``, re-ranked ``verified``."""
    rows = json.loads(file.read_text())
    return {direction: [Answered(**row) for row in rows[direction]] for direction in DIRECTIONS}


def _train_re_ranker(
    items: Sequence[Item],
    base: Path,
    out: Path,
    settings: TrainSettings,
    towers: TwoTower,
    root: Path,
    pictures: PictureReader,
) -> None:
    """On pairs, right and wrong, and on what the towers find for training queries."""
    model, processor = load_model(base)
    if settings.compares:
        keep_comparing(model)
    queries = choose_queries(items, settings.gsv_queries, settings.seed)
    item_of = {as_query(item): item for item in items}
    sets: list[Sequence[Item]] = []
    for direction in DIRECTIONS:
        gallery = [item for item in items if item.kind == target_kind(direction)]
        asked = [item_of[query] for query in queries if query.direction == direction]
        places, _ = exact_search(towers.encode(asked), towers.encode(gallery), _CANDIDATES)
        sets += [[gallery[at] for at in row] for row in places]
    said = said_words(items) if settings.compares else None
    candidates = CandidateDataset(queries, sets, root, said)
    pairs = VerificationDataset(items, root, settings.seed)
    data: Dataset[Sample] = ConcatDataset([candidates, pairs])
    rest = max(0.0, settings.samples - len(candidates)) / len(pairs)
    sizes, shares = (candidates.sizes, pairs.sizes), (1.0, rest)
    sampler = BlockSampler(sizes, shares, settings.batch_size, settings.seed)
    own = FitSettings.of(settings, settings.samples / len(sampler))
    fit(model, processor, pictures, data, sampler, own, out)


def _first(right: Sequence[bool]) -> int | None:
    return right.index(True) + 1 if True in right else None
