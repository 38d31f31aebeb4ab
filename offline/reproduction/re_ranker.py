"""What a model says of queries and candidates that something else has found.

As the re-ranker on top of the two towers it is one tower that sees query and candidate together. It
has the role of LeaPRR in the paper's comparison, with the backbone and the prompts of the product's
verification, and is a model of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import ProcessorMixin

from offline.image_inputs import PictureReader
from offline.model.backbone import IGNORED, Backbone
from offline.model.precision import half_precision
from offline.progress import progress
from offline.training.candidates import CandidateDataset, Query
from offline.training.collator import Collator
from offline.training.pairs import Sample
from semcore.bundle.item import Item
from semcore.identifiers.encoder import Vectors
from semcore.identifiers.tokens import verdict_tokens
from semcore.model.prompt import description_prompt, excerpt, normalise_query
from semcore.pictures.picture_source import picture_source

_BATCH = 64


@torch.no_grad()
def match_odds(
    model: Backbone,
    processor: ProcessorMixin,
    pictures: PictureReader,
    queries: Sequence[Query],
    sets: Sequence[Sequence[Item]],
    root: str | Path,
) -> list[Vectors]:
    """For each query the log-odds that each of its candidates matches, float32 [candidates]."""
    data = CandidateDataset(queries, sets, root)
    collate = Collator(processor, pictures)
    yes, no = verdict_tokens(processor.tokenizer)
    model.eval()
    odds: list[float] = []
    for start in progress(range(0, len(data), _BATCH), "re-ranking"):
        batch = collate([data[at] for at in range(start, min(start + _BATCH, len(data)))])
        batch = {name: value.to(model.device) for name, value in batch.items()}
        # The answer is all that is asked; what stands before it has told all.
        last = (batch.pop("labels") != IGNORED).float().argmax(1) - 1
        with half_precision(model):
            hidden = model.model(**batch)[0][torch.arange(len(last)), last]
        logits = model.lm_head(hidden.float())  # rounded to bfloat16, near odds would be equal
        odds += (logits[:, yes] - logits[:, no]).tolist()
    return _by_query(odds, sets)


def descriptions(
    model: Backbone,
    processor: ProcessorMixin,
    pictures: PictureReader,
    queries: Sequence[Query],
    sets: Sequence[Sequence[Item]],
    root: str | Path,
) -> list[Vectors]:
    """For each query, float32 [candidates]: of each candidate log p(text | picture) - log p(text)
    in nats, as the model describes pictures (VisualGPTScore, Lin et al., 2024). It is what the
    service calls a candidate's description."""
    pairs = [
        (query.content, item.image)
        if query.direction == "text-to-image"
        else (excerpt(item.caption), query.content)
        for query, items in zip(queries, sets, strict=True)
        for item in items
    ]
    said = {text: normalise_query(text) for text, _ in pairs}
    plain = [
        Sample(description_prompt(""), (), (answer,), is_prose=True) for answer in said.values()
    ]
    shown = [
        Sample(description_prompt(), (picture_source(root, image),), (said[text],), is_prose=True)
        for text, image in pairs
    ]
    model.eval()
    collate = Collator(processor, pictures)
    expected = dict(zip(said, _logprobs(model, collate, plain, "texts alone"), strict=True))
    told = _logprobs(model, collate, shown, "describing candidates")
    gains = [one - expected[text] for one, (text, _) in zip(told, pairs, strict=True)]
    return _by_query(gains, sets)


@torch.no_grad()
def _logprobs(
    model: Backbone, collate: Collator, samples: Sequence[Sample], title: str
) -> list[float]:
    """Of each sample the log-probability of its one answer, in nats."""
    found: list[float] = []
    for start in progress(range(0, len(samples), _BATCH), title):
        batch = collate(samples[start : start + _BATCH])
        batch = {name: value.to(model.device) for name, value in batch.items()}
        following = batch.pop("labels")[:, 1:]
        answered = following != IGNORED
        with half_precision(model):
            hidden = model.model(**batch)[0][:, :-1][answered]
        logprobs = model.lm_head(hidden.float()).log_softmax(-1)
        tokens = logprobs.gather(1, following[answered][:, None])[:, 0]
        found += [float(part.sum()) for part in tokens.split(answered.sum(1).tolist())]
    return found


def _by_query(values: Sequence[float], sets: Sequence[Sequence[Item]]) -> list[Vectors]:
    ends = np.cumsum([len(items) for items in sets])
    return [np.asarray(part, dtype=np.float32) for part in np.split(np.array(values), ends[:-1])]
