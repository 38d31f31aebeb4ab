"""A first acquaintance of pictures and words, for models that were never pretrained.

The vision tower and the projector learn to put, at some visual token, a vector near the embedding
of each word that the picture's captions use; the embeddings move as well. Then the first layer of
the language model is set to compare the two. A pretrained InternVL has all this behind it and skips
the step.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import InternVLForConditionalGeneration, ProcessorMixin

from offline.image_inputs import PictureReader
from offline.model.attention_init import start_comparing
from offline.progress import progress
from offline.schedule import warm_cosine
from semcore.pictures.picture_source import PictureSource

_BATCH = 32
_SHARPNESS = 20.0
_RARE = -6.0  # logit of a word that is in a picture as seldom as most words are


def align(
    model: InternVLForConditionalGeneration,
    processor: ProcessorMixin,
    pictures: Sequence[tuple[PictureSource, str]],
    read: PictureReader,
    epochs: float,
    learning_rate: float,
    seed: int,
    *,
    embeddings: bool = True,
) -> float:
    """Train vision tower, projector and word embeddings on (picture, its captions) pairs.

    Each of the caption words is a label of the picture; its logit is the log-sum-exp, over the
    visual tokens, of the scaled cosine with the word's embedding (weak supervision by multiple
    instances). Loss: binary cross-entropy over all words.

    Args:
        embeddings: move the word embeddings as well, and let the first layer start by comparing;
            a language model that was pretrained keeps both as they are.

    Returns:
        The mean loss over the last tenth of the steps.
    """
    rng = random.Random(seed)
    words, wanted = _labels(processor, [text for _, text in pictures])
    device = model.device
    words = words.to(device)
    table = model.get_input_embeddings().weight.detach()[words].float()
    centre, lengths = table.mean(0), (table - table.mean(0)).norm(dim=-1, keepdim=True)
    targets = torch.nn.Parameter(functional.normalize(table - centre, dim=-1), embeddings)
    sharpness = torch.nn.Parameter(torch.tensor(_SHARPNESS, device=device))
    rarity = torch.nn.Parameter(torch.full((len(words),), _RARE, device=device))
    learned = [
        *model.model.vision_tower.parameters(),
        *model.model.multi_modal_projector.parameters(),
        targets,
        sharpness,
        rarity,
    ]
    optimizer = torch.optim.AdamW(learned, weight_decay=0.05)
    steps = max(1, round(epochs * len(pictures) / _BATCH))
    order: list[int] = []
    losses: list[float] = []
    model.train()
    for step in progress(range(steps), "acquainting pictures with words"):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * warm_cosine(step, steps)
        if len(order) < _BATCH:
            order += rng.sample(range(len(pictures)), len(pictures))
        batch = [order.pop() for _ in range(min(_BATCH, len(order)))]
        values = read([pictures[index][0] for index in batch]).to(device)
        if values.dim() == 4 and rng.random() < 0.5:
            values = values.flip(-1)
        tokens = _visual_tokens(model, values)
        cosines = (
            functional.normalize(tokens.float(), dim=-1) @ functional.normalize(targets, dim=-1).T
        )
        logits = torch.logsumexp(sharpness * cosines, dim=1) + rarity
        loss = functional.binary_cross_entropy_with_logits(logits, wanted[batch].float().to(device))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    length = tokens.detach().norm(dim=-1).mean().item()
    if embeddings:
        with torch.no_grad():
            moved = centre + lengths * functional.normalize(targets, dim=-1)
            model.get_input_embeddings().weight[words] = moved
        start_comparing(model, processor.tokenizer, length)
    else:
        wanted_length = table.norm(dim=-1).mean().item()
        _scale(model.model.multi_modal_projector.linear_2, wanted_length / length)
    recent = losses[-max(1, steps // 10) :]
    return sum(recent) / len(recent)


def _labels(processor: ProcessorMixin, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Token ids, int64 [words], and which words each text has, bool [texts, words]."""
    split = [set(re.findall(r"\w+", text.lower())) for text in texts]
    ids: dict[str, int] = {}
    for word in sorted(set().union(*split)):
        tokens = processor.tokenizer.encode(f" {word}", add_special_tokens=False)
        if len(tokens) == 1:
            ids[word] = tokens[0]
    column = {word: index for index, word in enumerate(ids)}
    wanted = torch.zeros(len(texts), len(ids), dtype=torch.bool)
    for row, present in enumerate(split):
        wanted[row, [column[word] for word in present if word in column]] = True
    return torch.tensor(list(ids.values())), wanted


def _visual_tokens(model: InternVLForConditionalGeneration, values: Tensor) -> Tensor:
    """Float [pictures, visual tokens, hidden]."""
    features = model.model.get_image_features(pixel_values=values)
    return features if isinstance(features, Tensor) else features.pooler_output


def _scale(layer: torch.nn.Linear, factor: float) -> None:
    """Visual tokens as long as words are: the likeness that was trained knows no length."""
    with torch.no_grad():
        layer.weight.mul_(factor)
        layer.bias.mul_(factor)
