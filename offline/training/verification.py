"""Verification samples: does this text belong to this picture (paper 3.4, stage 2)?

A model that was never pretrained learns little from one answer a prompt. Such a model is also asked
at each word of the text whether it is true of the picture; what the picture's captions say counts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from offline.training.pairs import Sample, SampleDataset, captions_of_pairs
from semcore.bundle.item import Item
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.keywords import corpus_vectorizer
from semcore.identifiers.told import told_words
from semcore.model.prompt import ANSWERS, Told, excerpt, normalise_query, verification_prompt
from semcore.pictures.picture_source import PictureSource, picture_source

SaidWords = Mapping[str, frozenset[str]]
_NEAR = 0.5


def said_words(items: Iterable[Item]) -> SaidWords:
    """For each pair the telling words of all its captions; no stop words."""
    captions = captions_of_pairs(items)
    analyse = corpus_vectorizer(list(captions.values())).build_analyzer()
    return {pair: frozenset(analyse(text)) for pair, text in captions.items()}


def verification_sample(
    shown: Item,
    text: str,
    image: PictureSource,
    *,
    matches: bool,
    said: frozenset[str],
    asked: frozenset[str],
    told: Told = "keywords",
) -> Sample:
    """One prompt with its answer.

    Args:
        shown: the candidate.
        said: what the captions of the picture say.
        asked: the words at which the model is asked; none for the answer alone.
        told: what the prompt tells of a candidate that is a picture.
    """
    text = normalise_query(excerpt(text))
    prompt = verification_prompt(told_words(shown, told), text)
    checks = tuple(asked_words(text, prompt.index(f" {text} (") + 1, said, asked))
    return Sample(prompt, (image,), (ANSWERS[0] if matches else ANSWERS[1],), checks)


def asked_words(
    text: str, start: int, said: frozenset[str], asked: frozenset[str]
) -> Iterator[tuple[int, bool]]:
    """The places behind the words of a text at which the model is asked, and whether each word is
    said.

    Args:
        start: where the text stands in its prompt.
    """
    for word in re.finditer(r"\w+", text):
        if word.group().lower() in asked:
            yield start + word.end(), word.group().lower() in said


class VerificationDataset(SampleDataset):
    """One sample for each text: with its own picture, or as often with another one.

    Every second other picture is of the same cluster, hence like the right one. The keywords are
    the picture's or the text's, as in the two directions of search.
    """

    def __init__(
        self, items: Iterable[Item], image_root: str | Path, seed: int, *, checked: bool = True
    ) -> None:
        """``checked``: the model is asked at each word as well."""
        super().__init__(seed)
        everything = list(items)
        self._root = image_root
        self._said = said_words(everything)
        self._asked = frozenset().union(*self._said.values()) if checked else frozenset()
        self._pictures = [item for item in everything if item.kind == "image"]
        self._of_pair = {picture.pair: picture for picture in self._pictures}
        self._texts = [i for i in everything if i.kind == "text" and i.pair in self._of_pair]
        self._of_cluster: dict[int | None, list[Item]] = {}
        for picture in self._pictures:
            cluster = Identifier.parse(picture.identifier).global_id
            self._of_cluster.setdefault(cluster, []).append(picture)

    @property
    def sizes(self) -> list[int]:
        """Of each sample the length of its text."""
        return [len(excerpt(text.caption)) for text in self._texts]

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: int) -> Sample:
        rng = self.chance(index)
        text = self._texts[index]
        picture = self._of_pair[text.pair]
        if rng.random() < 0.5:
            picture = self._other(picture, rng)
        return verification_sample(
            rng.choice((picture, text)),
            text.caption,
            picture_source(self._root, picture.image),
            matches=picture.pair == text.pair,
            said=self._said[picture.pair],
            asked=self._asked,
        )

    def _other(self, picture: Item, rng: random.Random) -> Item:
        near: Sequence[Item] = self._of_cluster[Identifier.parse(picture.identifier).global_id]
        return rng.choice(near if rng.random() < _NEAR else self._pictures)
