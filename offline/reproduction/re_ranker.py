"""The re-ranker on top of the two towers: one tower that sees query and candidate together.

It has the role of LeaPRR in the paper's comparison, with the backbone and the prompts of the
product's verification, and is a model of its own.
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
from semcore.bundle.item import Item
from semcore.identifiers.encoder import Vectors
from semcore.identifiers.tokens import verdict_tokens

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
    ends = np.cumsum([len(items) for items in sets])
    return [np.asarray(part, dtype=np.float32) for part in np.split(np.array(odds), ends[:-1])]
