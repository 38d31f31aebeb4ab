"""Vectors of a bundle's items by its guide: what the files of :mod:`semcore.guide.vectors` hold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offline.image_inputs import opened_pictures
from semcore.bundle.bundle import GuideRecord
from semcore.bundle.item import Item
from semcore.guide.guide import TextGuide, encoder_fingerprint
from semcore.guide.vectors import CAPTIONS, VECTORS, combined, quantised, save_rows
from semcore.identifiers.encoder import Encoder, Vectors
from semcore.model.eyesight import FROZEN
from semcore.pictures.picture_source import picture_source

USUAL_WEIGHT = 0.6
"""Of a picture's look beside the 1 of its captions, where too few queries could tell."""
_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5, 2.0)
_FEWEST, _MOST = 100, 2000  # queries


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """Attributes:
    captions: float32 [items, dimension], in order of id.
    whole: the same with the looks of pictures; None where none are known.
    """

    record: GuideRecord
    captions: Vectors
    whole: Vectors | None = None

    def save(self, folder: Path) -> None:
        """Write the files into the folder of a bundle."""
        captions = quantised(self.captions)
        if self.whole is None:
            save_rows(folder / VECTORS, captions)
        else:
            save_rows(folder / VECTORS, quantised(self.whole))
            save_rows(folder / CAPTIONS, captions)


def encoded_items(
    encoder: Encoder, items: Sequence[Item], captions: Vectors, root: str | Path
) -> ItemVectors:
    """The vectors of new items, with the looks of their pictures if the encoder sees.

    Args:
        items: in order of id.
        captions: float32 [items, dimension], of their captions.
        root: that the paths of pictures are relative to.
    """
    if not encoder.sees:
        told = TextGuide(encoder, None, None).fingerprint
        record = GuideRecord(encoder=encoder.name, fingerprint=told, picture_weight=0.0)
        return ItemVectors(record, captions)
    places = [place for place, item in enumerate(items) if item.image]
    looks = np.zeros_like(captions)
    at = 0
    sources = [picture_source(root, items[place].image) for place in places]
    for chunk in opened_pictures(sources, FROZEN):
        looks[places[at : at + len(chunk)]] = encoder.encode_images(chunk)
        at += len(chunk)
    weight = choose_picture_weight(items, captions, looks)
    told = encoder_fingerprint(encoder)
    record = GuideRecord(encoder=encoder.name, fingerprint=told, picture_weight=weight)
    return ItemVectors(record, captions, combined(captions, looks, weight))


def choose_picture_weight(
    items: Sequence[Item], captions: Vectors, looks: Vectors, usual: float = USUAL_WEIGHT
) -> float:
    """What a picture's look should weigh beside the 1 of its captions: with what held-out texts of
    the validation split find their pictures best, by the mean reciprocal rank.
    ``usual`` where there are fewer than 100 of them.

    Args:
        captions, looks: float32 [items, dimension], of the items.
    """
    places = {
        item.pair: place
        for place, item in enumerate(items)
        if item.split == "val" and item.kind == "image"
    }
    asked = [
        place
        for place, item in enumerate(items)
        if item.split == "val" and item.held_out and item.pair in places
    ]
    if len(asked) < _FEWEST:
        return usual
    asked = random.Random(0).sample(asked, min(len(asked), _MOST))
    gallery = list(places.values())
    row = {pair: at for at, pair in enumerate(places)}
    right = np.array([row[items[place].pair] for place in asked])
    queries = captions[asked]

    def quality(weight: float) -> tuple[float, float]:
        found = queries @ combined(captions[gallery], looks[gallery], weight).T
        own = found[np.arange(len(asked)), right]
        ranks = (found >= own[:, None]).sum(axis=1)  # where none is told apart, none is found
        return float(np.mean(1 / ranks)), -abs(weight - usual)

    return max(_WEIGHTS, key=quality)
