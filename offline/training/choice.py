"""Listwise verification samples: which of these candidates belongs to the query (paper 3.3)?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from offline.training.candidates import Query
from offline.training.pairs import Sample, SampleDataset
from offline.training.verification import SaidWords, asked_words
from semcore.bundle.item import Item
from semcore.identifiers.told import told_words
from semcore.kind import target_kind
from semcore.model.prompt import LETTERS, Told, excerpt, list_prompt, normalise_query
from semcore.pictures.picture_source import picture_source


@dataclass(frozen=True, slots=True)
class _List:
    """A query with the candidates that answer it, at least one, and those that do not."""

    query: Query
    right: Sequence[Item]
    wrong: Sequence[Item]


class ChoiceDataset(SampleDataset):
    """One sample for each query: a list of its candidates in an order drawn anew each time, so that
    no place is favoured, and the letter of a right one. Of several right ones each is the answer as
    often, as they are alike likely where the list is served.

    A right candidate that was not retrieved takes the place of a wrong one.
    """

    def __init__(
        self,
        queries: Sequence[Query],
        sets: Sequence[Sequence[Item]],
        items: Iterable[Item],
        image_root: str | Path,
        seed: int,
        told: Told = "keywords",
        said: SaidWords | None = None,
    ) -> None:
        """
        Args:
            queries: texts first.
            items: those that were searched in; queries that none of them answers are left out.
            told: what is told of candidates that are pictures.
            said: what each pair's captions say, for a model to be asked at each word whether it is
                true of a candidate, and at each letter whether the candidate is right.
        """
        super().__init__(seed)
        answers: dict[tuple[str, str], list[Item]] = {}
        wanted = {(target_kind(query.direction), query.pair) for query in queries}
        for item in items:
            if (item.kind, item.pair) in wanted:
                answers.setdefault((item.kind, item.pair), []).append(item)
        self._lists = []
        for query, found in zip(queries, sets, strict=True):
            right = [item for item in found if item.pair == query.pair]
            right = right or answers.get((target_kind(query.direction), query.pair), [])[:1]
            wrong = [item for item in found if item.pair != query.pair]
            if right and wrong:
                self._lists.append(_List(query, right[: len(LETTERS) // 2], wrong))
        self._root = image_root
        self._told: Told = told
        self._said = said or {}
        self._asked = frozenset().union(*self._said.values())

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """Of each sample whose query is a text the length of all its texts, and of each whose query
        is a picture."""
        sizes: tuple[list[int], list[int]] = [], []
        for one in self._lists:
            texts = [_text(one.query, item) for item in (*one.right, *one.wrong)]
            sizes[one.query.direction == "image-to-text"].append(sum(map(len, texts)))
        return sizes

    @property
    def candidates(self) -> int:
        """In all lists together."""
        return sum(min(len(LETTERS), len(one.right) + len(one.wrong)) for one in self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def __getitem__(self, index: int) -> Sample:
        one, rng = self._lists[index], self.chance(index)
        room = min(len(one.wrong), len(LETTERS) - len(one.right))
        shown = [*one.right, *rng.sample(one.wrong, room)]
        rng.shuffle(shown)
        return self._sample(one.query, shown, rng)

    def _sample(self, query: Query, shown: Sequence[Item], rng: random.Random) -> Sample:
        by_picture = query.direction == "image-to-text"
        texts = [normalise_query(excerpt(_text(query, item))) for item in shown]
        told = [told_words(item, self._told) for item in shown]
        prompt = list_prompt(texts, told, one_picture=by_picture)
        images = [query.content] if by_picture else [item.image for item in shown]
        right = [item.pair == query.pair for item in shown]
        checks: list[tuple[int, bool]] = []
        if self._said:
            start = 0
            for letter, item, text, is_right in zip(LETTERS, shown, texts, right, strict=False):
                pair = query.pair if by_picture else item.pair
                start = prompt.index(f"{text} (", start)
                checks += asked_words(text, start, self._said.get(pair, frozenset()), self._asked)
                start = prompt.index(f")\n{letter}\n", start) + len(f")\n{letter}")
                checks.append((start, is_right))
        answer = rng.choice([letter for letter, is_right in zip(LETTERS, right, strict=False)
                             if is_right])  # fmt: skip
        sources = tuple(picture_source(self._root, image) for image in images)
        return Sample(prompt, sources, (answer,), tuple(checks))


def _text(query: Query, item: Item) -> str:
    return query.content if query.direction == "text-to-image" else item.caption
