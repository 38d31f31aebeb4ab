"""Description samples: a picture and all its captions.

A language model that has only been acquainted with pictures learns to use what it sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch.utils.data import Dataset

from offline.training.pairs import Sample, captions_by_pair
from semcore.bundle.item import Item
from semcore.model.prompt import description_prompt, excerpt, normalise_query
from semcore.pictures.picture_source import picture_source


class DescriptionDataset(Dataset[Sample]):
    """One sample for each picture."""

    def __init__(self, items: Iterable[Item], image_root: str | Path) -> None:
        everything = list(items)
        captions = captions_by_pair(everything)
        self._pictures = [
            (picture_source(image_root, item.image), [*map(excerpt, captions[item.pair])])
            for item in everything
            if item.kind == "image" and item.pair in captions
        ]

    @property
    def sizes(self) -> list[int]:
        """Of each sample the length of its captions."""
        return [sum(map(len, captions)) for _, captions in self._pictures]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Sample:
        image, captions = self._pictures[index]
        return Sample(
            description_prompt(), (image,), tuple(map(normalise_query, captions)), is_prose=True
        )
