"""A curriculum before stage 2, for networks without pretraining: the right candidate or another.

Verification of ten candidates is learned soon by a network that can compare, and hardly at all by
one that cannot; choosing between two that differ in much is where comparing begins.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from torch.utils.data import Dataset

from offline.pairs import Sample
from semcore.identifier import Identifier
from semcore.item import Item
from semcore.prompt import LABELS, verification_prompt

_CANDIDATES = 2
_HARD = 0.2  # share of the wrong candidates that are taken from the right one's cluster


class MatchingDataset(Dataset[Sample]):
    """Candidate sets of two, in random order, drawn anew each time.

    The first half asks with a text for a picture, the second with a picture for a text.
    """

    def __init__(self, items: Iterable[Item], image_root: Path, count: int, seed: int) -> None:
        """``count``: samples in all; ``items`` must hold at least two pictures."""
        self._root = image_root
        self._count = count
        self._rng = random.Random(seed)
        self._texts: dict[str, list[Item]] = {}
        pictures: list[Item] = []
        for item in items:
            if item.kind == "image":
                pictures.append(item)
            else:
                self._texts.setdefault(item.pair, []).append(item)
        self._pictures = [picture for picture in pictures if picture.pair in self._texts]
        self._clusters: dict[int, list[Item]] = {}
        for picture in self._pictures:
            self._clusters.setdefault(_cluster(picture), []).append(picture)

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """As of :class:`offline.pairs.PairDataset`: here all are alike."""
        texts = self._count // 2
        return [0] * texts, [0] * (self._count - texts)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        right = self._rng.choice(self._pictures)
        shown = [right, *(self._other(right) for _ in range(_CANDIDATES - 1))]
        self._rng.shuffle(shown)
        place = shown.index(right)
        if index < self._count // 2:
            query = self._rng.choice(self._texts[right.pair]).caption
            prompt = verification_prompt("text-to-image", _keywords(shown), (), query)
            images = tuple(self._root / picture.image for picture in shown)
        else:
            texts = [self._rng.choice(self._texts[picture.pair]) for picture in shown]
            said = [text.caption for text in texts]
            prompt = verification_prompt("image-to-text", _keywords(texts), said)
            images = (self._root / right.image,)
        return Sample(prompt, images, LABELS[place], place)

    def _other(self, right: Item) -> Item:
        near = self._clusters[_cluster(right)]
        hard = len(near) > 1 and self._rng.random() < _HARD
        while True:
            picture = self._rng.choice(near if hard else self._pictures)
            if picture is not right:
                return picture


def _cluster(item: Item) -> int:
    return Identifier.parse(item.identifier).global_id


def _keywords(items: Iterable[Item]) -> list[tuple[str, ...]]:
    return [Identifier.parse(item.identifier).lexical_id for item in items]
