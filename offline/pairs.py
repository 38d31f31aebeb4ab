"""Stage 1 samples: a query and the identifier it should bring forth (paper 3.4, <query, SID>)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import Dataset

from semcore.item import Item
from semcore.prompt import identifier_prompt, indexing_prompt


@dataclass(frozen=True, slots=True)
class Sample:
    """``prompt`` with one placeholder an image, the images' paths, and the answer's text.

    Attributes:
        checks: places in the prompt, as the character behind a word, at which the model is asked
            as well, with the right answer.
    """

    prompt: str
    images: tuple[Path, ...]
    answer: str
    checks: tuple[tuple[int, bool], ...] = ()


def captions_of_pairs(items: Iterable[Item]) -> dict[str, str]:
    """For each pair all its captions in one text."""
    captions: dict[str, str] = {}
    for item in items:
        if item.kind == "text":
            captions[item.pair] = f"{captions.get(item.pair, '')} {item.caption}"
    return captions


class PairDataset(Dataset[Sample]):
    """Both directions: each text with its picture's identifier, each picture with a text's.

    A picture counts ``image_repeats`` times, each time with one of its texts chosen anew.
    """

    def __init__(
        self, items: Iterable[Item], image_root: Path, image_repeats: int, seed: int
    ) -> None:
        everything = list(items)
        self._root = image_root
        self._rng = random.Random(seed)
        self._images = {item.pair: item for item in everything if item.kind == "image"}
        self._texts = [item for item in everything if item.kind == "text"]
        self._of_pair: dict[str, list[Item]] = {}
        for text in self._texts:
            self._of_pair.setdefault(text.pair, []).append(text)
        self._pictures: Sequence[str] = [pair for pair in self._images if pair in self._of_pair]
        self._repeats = image_repeats

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """Of each sample whose query is a text its length, and of each whose query is a picture."""
        pictures = self._repeats * len(self._pictures)
        return [len(text.caption) for text in self._texts], [0] * pictures

    def __len__(self) -> int:
        return len(self._texts) + self._repeats * len(self._pictures)

    def __getitem__(self, index: int) -> Sample:
        if index < len(self._texts):
            text = self._texts[index]
            prompt = identifier_prompt("text-to-image", text.caption)
            return Sample(prompt, (), self._images[text.pair].identifier)
        pair = self._pictures[(index - len(self._texts)) % len(self._pictures)]
        image = self._root / self._images[pair].image
        answer = self._rng.choice(self._of_pair[pair]).identifier
        return Sample(identifier_prompt("image-to-text"), (image,), answer)


class IndexDataset(Dataset[Sample]):
    """Items with their own identifiers, each ``repeats`` times: what a scheme whose identifiers
    say nothing must learn by heart (GRACE, "learning to memorize"; DSI, "indexing")."""

    def __init__(self, items: Sequence[Item], image_root: Path, repeats: int) -> None:
        self._items = items
        self._root = image_root
        self._repeats = repeats

    @property
    def sizes(self) -> list[int]:
        """Of each sample the length of its text."""
        return self._repeats * [0 if i.kind == "image" else len(i.caption) for i in self._items]

    def __len__(self) -> int:
        return self._repeats * len(self._items)

    def __getitem__(self, index: int) -> Sample:
        item = self._items[index % len(self._items)]
        images = (self._root / item.image,) if item.kind == "image" else ()
        return Sample(indexing_prompt(item.kind, item.caption), images, item.identifier)
