"""Description samples: a picture and all its captions, one a line.

A language model that has only been acquainted with pictures learns to use what it sees. After the
first caption the others tell it less of the picture, yet they cost little.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from offline.pairs import Sample, SampleDataset, captions_by_pair
from semcore.item import Item
from semcore.prompt import description_prompt


class DescriptionDataset(SampleDataset):
    """One sample for each picture; its captions are in another order each time."""

    def __init__(self, items: Iterable[Item], image_root: Path, seed: int) -> None:
        super().__init__(seed)
        everything = list(items)
        captions = captions_by_pair(everything)
        self._pictures = [
            (image_root / item.image, captions[item.pair])
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
        answer = "\n".join(self.chance(index).sample(captions, len(captions)))
        return Sample(description_prompt(), (image,), answer, is_prose=True)
