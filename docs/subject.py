"""What the figures show: a bundle with its model, and a search in it step by step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from offline.model.backbone import load_model
from semcore.bundle.bundle import ITEMS, read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.identifiers.clusters import Clusters
from semcore.identifiers.encoder import Encoder
from semcore.model.prompt import identifier_prompt
from semcore.pictures.picture import open_picture
from semcore.trie.layers import Layer, Layers
from semcore.trie.walk import load_walk
from service.beams.beam_search import Answer, Beam, BeamSearch, Row

Spelled = tuple[int, ...]


@dataclass(frozen=True)
class Subject:
    """A trained bundle, opened once for all figures."""

    bundle: Path

    @cached_property
    def store(self) -> ItemStore:
        return ItemStore(self.bundle / ITEMS, read_manifest(self.bundle).settings.gallery)

    @cached_property
    def clusters(self) -> Clusters:
        return Clusters.load(self.bundle)

    @cached_property
    def layers(self) -> Layers:
        return Layers([Layer(load_walk(self.bundle / "image"))])

    @cached_property
    def encoder(self) -> Encoder:
        return Encoder(read_manifest(self.bundle).settings.encoder)

    @cached_property
    def model(self) -> tuple[Any, Any]:
        """The model and its tokenizer."""
        record = read_manifest(self.bundle).model
        assert record is not None
        model, processor = load_model(record.folder(self.bundle))
        return model.eval(), processor.tokenizer

    def read(self, token: int) -> str:
        return str(self.model[1].decode([token])).strip()

    def picture(self, item: Item) -> Image.Image:
        return open_picture(read_manifest(self.bundle).corpus.picture_source(item))

    def sources(self, item: Item) -> list[str]:
        """The captions that a picture's identifier is made of."""
        texts = (self.store.get(f"{item.pair}#{number}") for number in range(5))
        return [text.caption for text in texts if text is not None and not text.held_out]


@dataclass(frozen=True)
class Trail:
    """A search step by step.

    Attributes:
        steps: what each beam could be spelled on with, and the log-probability of all of it then.
        kept: of these the ones that went on.
        beams: those that came to their end.
    """

    steps: list[dict[Spelled, float]]
    kept: list[set[Spelled]]
    beams: list[Beam]


@torch.no_grad()
def search(subject: Subject, query: str, beam_width: int) -> Trail:
    """Search for images; the model is asked without an engine."""
    model, tokenizer = subject.model
    prompt = tokenizer.encode(identifier_prompt("text-to-image", query), add_special_tokens=False)

    def answer(row: Row) -> Answer:
        logits = model(input_ids=torch.tensor([[*prompt, *row.tokens]])).logits[0, -1]
        allowed = subject.layers.allowed(row.positions)
        logprobs = torch.log_softmax(logits, -1).numpy()[allowed]
        order = np.argsort(-logprobs, kind="stable")
        return Answer(int(allowed[order[0]]), allowed[order], logprobs[order])

    beams = BeamSearch(subject.layers, beam_width, stepwise=True)
    trail = Trail([], [], [])
    while beams.rows:
        before, answers = beams.rows, {n: answer(row) for n, row in beams.rows.items()}
        trail.steps.append(
            {
                (*before[number].tokens, token): before[number].logprob + float(logprob)
                for number, told in answers.items()
                for token, logprob in zip(told.tokens.tolist(), told.logprobs, strict=True)
            }
        )
        beams.advance(answers)
        trail.kept.append({row.tokens for row in beams.rows.values()})
    trail.beams.extend(beams.beams)
    return trail
