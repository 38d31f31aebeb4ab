"""Stage 2 samples: candidate sets that the stage-1 model itself retrieved (paper 3.4)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from torch.utils.data import Dataset
from transformers import InternVLForConditionalGeneration, ProcessorMixin

from offline.image_inputs import PictureReader
from offline.model.precision import half_precision
from offline.progress import progress
from offline.training.collator import image_text, left_padded
from offline.training.pairs import Sample
from offline.training.verification import SaidWords, verification_sample
from semcore.bundle.item import Item
from semcore.identifiers.tokens import IdentifierTokenizer, end_token, trie_walk
from semcore.kind import DIRECTIONS, Direction, target_kind
from semcore.model.prompt import IMAGE, Told, excerpt, identifier_prompt
from semcore.pictures.picture_source import picture_source
from semcore.trie.trie import Trie
from semcore.trie.walk import Walk

_BATCH = 32
_CANDIDATES = 10
_SETS = "candidates.json"


@dataclass(frozen=True, slots=True)
class Query:
    """A text, or the path of a picture below the image root, and the pair that answers it."""

    direction: Direction
    content: str
    pair: str


class CandidateDataset(Dataset[Sample]):
    """Verification samples: each query with each of the candidates retrieved for it."""

    def __init__(
        self,
        queries: Sequence[Query],
        sets: Sequence[Sequence[Item]],
        image_root: str | Path,
        said: SaidWords | None = None,
        told: Told = "keywords",
    ) -> None:
        """
        Args:
            said: what each pair's captions say, for a model to be asked word by word.
            told: what is told of candidates that are pictures.
        """
        self._entries = [
            (query, item) for query, items in zip(queries, sets, strict=True) for item in items
        ]
        self._root = image_root
        self._said = said or {}
        self._asked = frozenset().union(*self._said.values())
        self._told: Told = told

    @property
    def sizes(self) -> list[int]:
        """Of each sample the length of its text."""
        return [len(excerpt(_text(query, item))) for query, item in self._entries]

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        query, item = self._entries[index]
        by_text = query.direction == "text-to-image"
        pictured, image = (item.pair, item.image) if by_text else (query.pair, query.content)
        return verification_sample(
            item,
            _text(query, item),
            picture_source(self._root, image),
            matches=item.pair == query.pair,
            said=self._said.get(pictured, frozenset()),
            asked=self._asked,
            told=self._told,
        )


def choose_queries(
    items: Sequence[Item], per_direction: int, seed: int, told: Told = "keywords"
) -> list[Query]:
    """Up to ``per_direction`` queries of each direction, texts first, drawn without repetition.

    Args:
        told: what candidates are told by; no caption is a query that would stand beside its
            picture.
    """
    rng = random.Random(seed)
    queries: list[Query] = []
    for direction in DIRECTIONS:
        kind = "text" if direction == "text-to-image" else "image"
        pool = [place for place, item in enumerate(items) if item.kind == kind]
        if told == "captions" and kind == "text":
            pool = [place for place in pool if items[place].held_out]
        drawn = rng.sample(pool, min(per_direction, len(pool)))
        queries += [as_query(items[place]) for place in drawn]
    return queries


def as_query(item: Item) -> Query:
    """An item as what is searched with."""
    if item.kind == "text":
        return Query("text-to-image", excerpt(item.caption), item.pair)
    return Query("image-to-text", item.image, item.pair)


def retrieve_candidates(
    model: InternVLForConditionalGeneration,
    processor: ProcessorMixin,
    items: Sequence[Item],
    queries: Sequence[Query],
    image_root: str | Path,
    pictures: PictureReader,
    candidates: int = _CANDIDATES,
) -> list[list[Item]]:
    """For each query its candidate items by constrained beam search over ``items``."""
    sets: list[list[Item]] = []
    for direction in DIRECTIONS:
        mine = [query for query in queries if query.direction == direction]
        if not mine:
            continue
        gallery = _Gallery(items, direction, processor)
        batches = [mine[start : start + _BATCH] for start in range(0, len(mine), _BATCH)]
        for batch in progress(batches, f"retrieving candidates {direction}"):
            with half_precision(model):
                found = constrained_beams(
                    model, processor, gallery.walk, batch, image_root, pictures, candidates
                )
            sets += [list(islice(gallery.items_of(beams), candidates)) for beams in found]
    return sets


def write_candidates(
    folder: Path, queries: Sequence[Query], sets: Sequence[Sequence[Item]]
) -> None:
    folder.mkdir(parents=True)
    rows = [
        {"query": asdict(query), "items": [item.id for item in items]}
        for query, items in zip(queries, sets, strict=True)
    ]
    (folder / _SETS).write_text(json.dumps(rows))


def read_candidates(folder: Path, items: Sequence[Item]) -> tuple[list[Query], list[list[Item]]]:
    """What :func:`write_candidates` wrote; ``items``: those that were searched in."""
    rows = json.loads((folder / _SETS).read_text())
    named = {item_id for row in rows for item_id in row["items"]}
    by_id = {item.id: item for item in items if item.id in named}
    queries = [Query(**row["query"]) for row in rows]
    return queries, [[by_id[item_id] for item_id in row["items"]] for row in rows]


def constrained_beams(
    model: InternVLForConditionalGeneration,
    processor: ProcessorMixin,
    walk: Walk,
    queries: Sequence[Query],
    image_root: str | Path,
    pictures: PictureReader,
    beam_width: int,
) -> list[list[tuple[int, float]]]:
    """Hugging Face's own beam search held to the walk: the reference for the service's.

    All queries are of one direction. Scores are sums of log-probabilities over the whole
    vocabulary, since ``generate`` takes the softmax before it applies the constraint.

    Returns:
        For each query up to ``beam_width`` (leaf of the walk, logprob) pairs, best first.
    """
    tokenizer = processor.tokenizer
    prompts = [
        identifier_prompt(query.direction, query.content).replace(IMAGE, image_text(processor))
        for query in queries
    ]
    inputs = left_padded(processor, prompts).to(model.device)
    images = [
        picture_source(image_root, query.content)
        for query in queries
        if query.direction == "image-to-text"
    ]
    extra = {"pixel_values": pictures(images).to(model.device, model.dtype)} if images else {}
    length = inputs["input_ids"].shape[1]
    end = end_token(tokenizer)
    model.eval()
    with torch.no_grad():
        output = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            **extra,
            max_new_tokens=walk.depth,
            num_beams=beam_width,
            num_return_sequences=beam_width,
            do_sample=False,
            early_stopping=False,
            length_penalty=0.0,
            eos_token_id=end,
            pad_token_id=end,
            prefix_allowed_tokens_fn=_allowed(walk, length, end),
            return_dict_in_generate=True,
            output_scores=True,
        )
    rows = output.sequences[:, length:].tolist()
    scores = output.sequences_scores.tolist()
    found: list[list[tuple[int, float]]] = []
    for start in range(0, len(rows), beam_width):
        beams: list[tuple[int, float]] = []
        for tokens, score in zip(
            rows[start : start + beam_width], scores[start : start + beam_width], strict=True
        ):
            spelled = walk.follow(tokens[: tokens.index(end) + 1]) if end in tokens else None
            if spelled is not None and score > -1e8:
                beams.append((spelled[1], score))
        found.append(beams)
    return found


class _Gallery:
    """The items of one kind by identifier, and the walk over them; the items stay where they are.

    Two passes: one for the identifiers as text, one for who has which.
    """

    def __init__(
        self, items: Sequence[Item], direction: Direction, processor: ProcessorMixin
    ) -> None:
        self._items = items
        kind = target_kind(direction)
        trie = Trie.build(text for i in items if i.kind == kind for text in i.identifiers)
        numbered = (
            (text, place)
            for place, item in enumerate(items)
            if item.kind == kind
            for text in item.identifiers
        )
        self.walk = trie_walk(trie, IdentifierTokenizer(processor.tokenizer), numbered)

    def items_of(self, beams: Sequence[tuple[int, float]]) -> Iterator[Item]:
        numbers = (number for leaf, _ in beams for number in self.walk.items_of(leaf).tolist())
        return (self._items[number] for number in dict.fromkeys(numbers))


def _text(query: Query, item: Item) -> str:
    return query.content if query.direction == "text-to-image" else item.caption


def _allowed(walk: Walk, length: int, end: int) -> Callable[[int, torch.Tensor], list[int]]:
    def allowed(_: int, tokens: torch.Tensor) -> list[int]:
        spelled = walk.follow(tokens[length:].tolist())
        following = [] if spelled is None else walk.allowed(spelled[0]).tolist()
        return following or [end]

    return allowed
