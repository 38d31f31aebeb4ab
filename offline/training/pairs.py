"""Stage 1 samples: a query and the identifier it should bring forth (paper 3.4, <query, SID>)."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from semcore.bundle.item import Item
from semcore.model.prompt import excerpt, identifier_prompt, indexing_prompt
from semcore.pictures.picture_source import PictureSource, picture_source


@dataclass(frozen=True, slots=True)
class Sample:
    """``prompt`` with one placeholder an image, where the images lie, and what it is answered by.

    Attributes:
        answers: texts, each of which answers the prompt as if there were no other.
        checks: places in the prompt, as the character behind a word, at which the model is asked
            as well, with the right answer.
        is_prose: the answers are neither identifiers nor verdicts.
    """

    prompt: str
    images: tuple[PictureSource, ...]
    answers: tuple[str, ...]
    checks: tuple[tuple[int, bool], ...] = ()
    is_prose: bool = False


class SampleDataset(Dataset[Sample], ABC):
    """Samples in which chance has a part, the same in every run: it depends on the seed, the epoch
    and the place alone, so that a run that was stopped goes on as if it had not been.

    Attributes:
        epoch: set as each begins.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.epoch = 0

    @abstractmethod
    def __len__(self) -> int: ...

    def chance(self, index: int) -> random.Random:
        """The source of chance for the sample at ``index``."""
        return random.Random(f"{self._seed}:{self.epoch}:{index}")


def captions_of_pairs(items: Iterable[Item]) -> dict[str, str]:
    """For each pair all its captions in one text."""
    return {pair: " ".join(captions) for pair, captions in captions_by_pair(items).items()}


def captions_by_pair(items: Iterable[Item]) -> dict[str, list[str]]:
    """For each pair all its captions."""
    captions: dict[str, list[str]] = {}
    for item in items:
        if item.kind == "text":
            captions.setdefault(item.pair, []).append(item.caption)
    return captions


class PairDataset(SampleDataset):
    """Both directions: each text with its picture's identifier, each picture with a text's.

    A picture counts ``image_repeats`` times, each time with ``image_answers`` of its texts chosen
    anew. Of the items only their places are kept, so that those of a store may stay there.
    """

    def __init__(
        self,
        items: Sequence[Item],
        image_root: str | Path,
        image_repeats: int,
        seed: int,
        image_answers: int = 1,
        paraphrase: Callable[[str, random.Random], str] | None = None,
    ) -> None:
        """``paraphrase``: puts each text query into other words, every time anew."""
        super().__init__(seed)
        self._items = items
        self._paraphrase = paraphrase
        self._root = image_root
        self._repeats = image_repeats
        self._answers = image_answers
        image_of = {item.pair: place for place, item in enumerate(items) if item.kind == "image"}
        texts = [
            (image_of[item.pair], place, len(excerpt(item.caption)))
            for place, item in enumerate(items)
            if item.kind == "text" and item.pair in image_of
        ]
        #: int64 [texts, 3]: place of the picture, place of the text, length of the text.
        self._texts = np.array(texts, dtype=np.int64).reshape(-1, 3)
        order = np.argsort(self._texts[:, 0], kind="stable")
        self._by_picture = self._texts[order, 1]
        self._pictures, self._starts = np.unique(self._texts[order, 0], return_index=True)

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """Of each sample whose query is a text its length, and of each whose query is a picture."""
        return self._texts[:, 2].tolist(), [0] * (self._repeats * len(self._pictures))

    def __len__(self) -> int:
        return len(self._texts) + self._repeats * len(self._pictures)

    def __getitem__(self, index: int) -> Sample:
        rng = self.chance(index)
        if index < len(self._texts):
            picture, text, _ = self._texts[index].tolist()
            query = excerpt(self._items[text].caption)
            if self._paraphrase is not None:
                query = self._paraphrase(query, rng)
            prompt = identifier_prompt("text-to-image", query)
            return Sample(prompt, (), (rng.choice(self._items[picture].identifiers),))
        row = (index - len(self._texts)) % len(self._pictures)
        following = self._starts[row + 1] if row + 1 < len(self._starts) else len(self._by_picture)
        texts = self._by_picture[self._starts[row] : following].tolist()
        image = picture_source(self._root, self._items[int(self._pictures[row])].image)
        answers = tuple(
            rng.choice(self._items[text].identifiers)
            for text in rng.sample(texts, min(self._answers, len(texts)))
        )
        return Sample(identifier_prompt("image-to-text"), (image,), answers)


class IndexDataset(Dataset[Sample]):
    """Items with their own identifiers, each ``repeats`` times: what a scheme whose identifiers
    say nothing must learn by heart (GRACE, "learning to memorize"; DSI, "indexing")."""

    def __init__(self, items: Sequence[Item], image_root: str | Path, repeats: int) -> None:
        self._items = items
        self._root = image_root
        self._repeats = repeats

    @property
    def sizes(self) -> list[int]:
        """Of each sample the length of its text."""
        return self._repeats * [
            0 if i.kind == "image" else len(excerpt(i.caption)) for i in self._items
        ]

    def __len__(self) -> int:
        return self._repeats * len(self._items)

    def __getitem__(self, index: int) -> Sample:
        item = self._items[index % len(self._items)]
        images = (picture_source(self._root, item.image),) if item.kind == "image" else ()
        return Sample(indexing_prompt(item.kind, excerpt(item.caption)), images, (item.identifier,))
