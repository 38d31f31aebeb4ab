"""What each stage of a training learns from: its samples, and how they are drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from torch.utils.data import ConcatDataset, Dataset

from offline.stored_items import indexed_items
from offline.training.candidates import CandidateDataset, read_candidates
from offline.training.choice import ChoiceDataset
from offline.training.description import DescriptionDataset
from offline.training.pairs import IndexDataset, PairDataset, Sample
from offline.training.paraphrase import Paraphraser
from offline.training.presets import TrainSettings
from offline.training.sampler import BlockSampler
from offline.training.verification import VerificationDataset, said_words
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import Item
from semcore.identifiers.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Part:
    """Samples of one dataset.

    Attributes:
        sizes: of each of its kinds of samples, in the dataset's order, their lengths.
        share: of them that an epoch draws; 1.0 is each once.
    """

    data: Dataset[Sample]
    sizes: Sequence[Sequence[int]]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """Samples, and a sampler of indices into them."""

    data: Dataset[Sample]
    sampler: BlockSampler

    @classmethod
    def of(cls, parts: Sequence[Part], settings: TrainSettings) -> Lesson:
        """All parts in one epoch; in a step all processes have a batch of one kind, since they
        wait for each other's gradients of the same weights."""
        sizes = [kind for part in parts for kind in part.sizes]
        shares = [part.share for part in parts for _ in part.sizes]
        data: Dataset[Sample] = ConcatDataset([part.data for part in parts])
        block = settings.batch_size * int(os.environ.get("WORLD_SIZE", "1"))
        return cls(data, BlockSampler(sizes, shares, block, settings.seed))


def describing(items: Sequence[Item], root: str | Path, settings: TrainSettings) -> Lesson:
    """Pictures and all their captions. ``root``: of the pictures' paths."""
    return Lesson.of([_descriptions(items, root)], settings)


def checking(items: Sequence[Item], root: str | Path, settings: TrainSettings) -> Lesson:
    """Pictures and texts, each word of which is true of its picture or not."""
    return Lesson.of([_checks(items, root, settings)], settings)


def spelling(
    items: Sequence[Item], root: str | Path, settings: TrainSettings, bundle: Path
) -> Lesson:
    """Stage 1: queries and identifiers, with some of what was learned before them."""
    pairs = _pairs(items, root, settings, bundle)
    parts = [Part(pairs, pairs.sizes)]
    if settings.indexed:
        known = indexed_items(bundle, settings.indexed, settings.seed)
        index = IndexDataset(known, root, settings.index_repeats)
        # They take the place of other samples, so that an epoch is as long as without them.
        share = len(pairs) / (len(pairs) + len(index))
        parts = [Part(pairs, pairs.sizes, share), Part(index, (index.sizes,), share)]
    if settings.describe_rehearsal:
        parts.append(_descriptions(items, root, settings.describe_rehearsal))
    if settings.check_rehearsal:
        parts.append(_checks(items, root, settings, settings.check_rehearsal))
    return Lesson.of(parts, settings)


def verifying(
    sets: Path,
    fresh: Sequence[Item],
    items: Sequence[Item],
    root: str | Path,
    settings: TrainSettings,
    bundle: Path,
) -> Lesson:
    """Stage 2: candidates, right and wrong, with some of stage 1, lest the identifiers be
    forgotten over the answers.

    Args:
        sets: folder of the candidates, all of them ``fresh`` items.
        settings: those of stage 2.
    """
    queries, found = read_candidates(sets, fresh)
    said = said_words(fresh) if settings.checks else None
    told = settings.gsv_told
    if settings.gsv == "listwise":
        lists = ChoiceDataset(queries, found, fresh, root, settings.seed, told, said)
        shown, verdicts = lists.candidates, Part(lists, lists.sizes)
    else:
        each = CandidateDataset(queries, found, root, said, told)
        shown, verdicts = len(each), Part(each, (each.sizes,))
    pairs = _pairs(items, root, settings, bundle)
    share = settings.gsv_rehearsal * shown / len(pairs)
    return Lesson.of([verdicts, Part(pairs, pairs.sizes, share)], settings)


def _descriptions(items: Sequence[Item], root: str | Path, share: float = 1.0) -> Part:
    data = DescriptionDataset(items, root)
    return Part(data, (data.sizes,), share)


def _checks(
    items: Sequence[Item], root: str | Path, settings: TrainSettings, share: float = 1.0
) -> Part:
    data = VerificationDataset(items, root, settings.seed)
    return Part(data, (data.sizes,), share)


def _pairs(
    items: Sequence[Item], root: str | Path, settings: TrainSettings, bundle: Path
) -> PairDataset:
    paraphrase: Callable[[str, Random], str] | None = None
    if settings.paraphrased:
        captions = (item.caption for item in items if item.kind == "text")
        encoder = Encoder(read_manifest(bundle).settings.encoder)
        paraphrase = Paraphraser(captions, encoder, settings.paraphrased)
    return PairDataset(
        items, root, settings.image_repeats, settings.seed, settings.image_answers, paraphrase
    )
