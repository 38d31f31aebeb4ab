"""Stage 2 samples: candidate sets that the stage-1 model itself retrieved (paper 3.4)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import Dataset
from transformers import InternVLForConditionalGeneration, ProcessorMixin

from offline.collator import Pixels, image_text
from offline.pairs import Sample
from offline.progress import progress
from semcore.identifier import Identifier
from semcore.item import Item
from semcore.prompt import (
    DIRECTIONS,
    IMAGE,
    LABELS,
    Direction,
    identifier_prompt,
    target_kind,
    verification_prompt,
)
from semcore.tokens import end_token, trie_walk
from semcore.trie import Trie
from semcore.walk import Walk

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Query:
    """A text, or the path of a picture below the image root, and the pair that answers it."""

    direction: Direction
    content: str
    pair: str


class CandidateDataset(Dataset[Sample]):
    """Verification samples over the retrieved sets.

    Sets that miss the right candidate are left out: put in by hand, its place would give it away.
    Sets are shown in the order in which the beam search returned them, as in service.
    """

    def __init__(
        self, queries: Sequence[Query], sets: Sequence[Sequence[Item]], image_root: Path
    ) -> None:
        self._entries = [
            (query, items)
            for query, items in zip(queries, sets, strict=True)
            if any(item.pair == query.pair for item in items)
        ]
        self._entries.sort(key=lambda entry: DIRECTIONS.index(entry[0].direction))
        self._root = image_root

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """As of :class:`offline.pairs.PairDataset`: how many candidates each set has."""
        by_text = [len(s) for query, s in self._entries if query.direction == "text-to-image"]
        return by_text, [len(s) for query, s in self._entries if query.direction == "image-to-text"]

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        query, items = self._entries[index]
        right = next(place for place, item in enumerate(items) if item.pair == query.pair)
        words = [Identifier.parse(item.identifier).lexical_id for item in items]
        if query.direction == "text-to-image":
            prompt = verification_prompt(query.direction, words, (), query.content)
            images = tuple(self._root / item.image for item in items)
        else:
            prompt = verification_prompt(query.direction, words, [i.caption for i in items])
            images = (self._root / query.content,)
        return Sample(prompt, images, LABELS[right])


def choose_queries(items: Sequence[Item], per_direction: int, seed: int) -> list[Query]:
    """Up to ``per_direction`` queries of each direction, texts first, drawn without repetition."""
    rng = random.Random(seed)
    queries: list[Query] = []
    for direction in DIRECTIONS:
        kind = "text" if direction == "text-to-image" else "image"
        pool = [item for item in items if item.kind == kind]
        queries += [
            Query(direction, item.caption if kind == "text" else item.image, item.pair)
            for item in rng.sample(pool, min(per_direction, len(pool)))
        ]
    return queries


def retrieve_candidates(
    model: InternVLForConditionalGeneration,
    processor: ProcessorMixin,
    items: Sequence[Item],
    queries: Sequence[Query],
    image_root: Path,
    candidates: int = len(LABELS),
) -> list[list[Item]]:
    """For each query its candidate items by constrained beam search over ``items``."""
    sets: list[list[Item]] = []
    pixels = Pixels(processor)
    for direction in DIRECTIONS:
        mine = [query for query in queries if query.direction == direction]
        if not mine:
            continue
        gallery = _Gallery(items, direction, processor)
        batches = [mine[start : start + _BATCH] for start in range(0, len(mine), _BATCH)]
        for batch in progress(batches, f"retrieving candidates {direction}"):
            found = constrained_beams(
                model, processor, gallery.walk, batch, image_root, pixels, candidates
            )
            for query, beams in zip(batch, found, strict=True):
                sets.append(gallery.items_of(beams, query.pair, candidates))
    return sets


def constrained_beams(
    model: InternVLForConditionalGeneration,
    processor: ProcessorMixin,
    walk: Walk,
    queries: Sequence[Query],
    image_root: Path,
    pixels: Pixels,
    beam_width: int,
) -> list[list[tuple[int, float]]]:
    """Hugging Face's own beam search held to the walk: the reference for the service's.

    All queries are of one direction. Scores are sums of log-probabilities over the whole
    vocabulary, since ``generate`` takes the softmax before it applies the constraint.

    Returns:
        For each query up to ``beam_width`` (key of the identifier, logprob) pairs, best first.
    """
    tokenizer = processor.tokenizer
    prompts = [
        identifier_prompt(query.direction, query.content).replace(IMAGE, image_text(processor))
        for query in queries
    ]
    inputs = tokenizer(
        prompts, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt"
    )
    images = [image_root / query.content for query in queries if query.direction == "image-to-text"]
    extra = {"pixel_values": pixels(images).to(model.dtype)} if images else {}
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
            node = walk.follow(tokens[: tokens.index(end) + 1]) if end in tokens else None
            if node is not None and score > -1e8:
                beams.append((int(walk.keys[node]), score))
        found.append(beams)
    return found


class _Gallery:
    """The items of one kind by identifier, and the walk over them."""

    def __init__(
        self, items: Sequence[Item], direction: Direction, processor: ProcessorMixin
    ) -> None:
        self._by_identifier: dict[str, list[Item]] = {}
        for item in items:
            if item.kind == target_kind(direction):
                self._by_identifier.setdefault(item.identifier, []).append(item)
        self._trie = Trie.build(self._by_identifier)
        self.walk = trie_walk(self._trie, processor.tokenizer)

    def items_of(self, beams: Sequence[tuple[int, float]], pair: str, count: int) -> list[Item]:
        found = list(self._expanded(beams))[:count]
        places = [place for place, item in enumerate(found) if item.pair == pair]
        # A set has one right answer: the other texts of the same picture are left out.
        return [item for place, item in enumerate(found) if place not in places[1:]]

    def _expanded(self, beams: Sequence[tuple[int, float]]) -> Iterator[Item]:
        for key, _ in beams:
            yield from self._by_identifier[self._trie.identifier(key)]


def _allowed(walk: Walk, length: int, end: int) -> Callable[[int, torch.Tensor], list[int]]:
    def allowed(_: int, tokens: torch.Tensor) -> list[int]:
        node = walk.follow(tokens[length:].tolist())
        following = [] if node is None else walk.allowed(node).tolist()
        return following or [end]

    return allowed
