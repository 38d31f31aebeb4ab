"""Learning the guide's projection: pictures, as a model sees them, into the space of its text
encoder.

Vision side and encoder are frozen. A perceptron over the one and a linear map over the other learn
by the contrastive loss of CLIP (Radford et al., 2021) which of the pictures of a batch a caption is
of, and the map learns, too, which captions are of one picture. Several trainings, each from another
beginning, are merged into one: what chance has taught one of them is outvoted.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from offline.contrastive import contrastive_loss
from offline.guide.item_vectors import USUAL_WEIGHT, choose_picture_weight
from offline.image_inputs import Features, see_pictures
from offline.progress import progress
from offline.schedule import warm_cosine
from semcore.bundle.bundle import ITEMS, GuideRecord, read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.errors import BundleError
from semcore.guide.guide import encoder_fingerprint, loaded_encoder
from semcore.guide.projection import Projection, mapped_texts, pooled, projected
from semcore.guide.vectors import caption_table, unit
from semcore.identifiers.encoder import Vectors
from semcore.kind import KINDS
from semcore.model.eyesight import side_seen
from semcore.model.frozen_vision import has_frozen_vision
from semcore.model.vision_side import open_vision_side
from semcore.pictures.picture_source import PictureSource

_MEMBERS = 4
_EPOCHS = 30
_FEWEST_STEPS = 300
_BATCH = 512
_HIDDEN = 1024
_LEARNING_RATE = 1e-3
_DECAY = 0.1
_TEMPERATURE = 0.05
_DROPOUT = 0.5
_CHUNK = 256  # pictures
_ENOUGH = 1000  # pictures; what is learned from fewer is believed in proportion
_SAME = 0.9
"""Captions with a higher cosine say the same, and are no negatives of each other."""


def needs_projection(guide: GuideRecord | None) -> bool:
    """Whether the guide of a bundle reads texts only."""
    return guide is not None and not loaded_encoder(guide.encoder).sees


def learn_guide(bundle: Path, model: Path, features: Path, seed: int) -> Projection:
    """The projection of a model for the guide of a bundle.

    Args:
        features: what the frozen encoder saw, of a model that sees by one.

    Raises:
        BundleError: the bundle has no guide.
        ModelError: the model does not see.
    """
    manifest = read_manifest(bundle)
    if manifest.guide is None:
        raise BundleError(f"{bundle} has no guide; build it with one")
    encoder = encoder_fingerprint(loaded_encoder(manifest.guide.encoder))
    store = ItemStore(bundle / ITEMS, ())
    found = [
        one for split in ("train", "val") for kind in KINDS for one in store.numbered(split, kind)
    ]
    store.close()
    items = [item for _, item in found]
    images = [item for item in items if item.kind == "image"]
    seen = _pools(model, [manifest.corpus.picture_source(item) for item in images], features)
    pools = {item.id: pool for item, pool in zip(images, seen, strict=True)}
    vectors = unit(caption_table(bundle).rows[[number for number, _ in found]])
    return fit_projection(items, vectors, encoder, pools, seed)


def _pools(model: Path, sources: Sequence[PictureSource], features: Path) -> Tensor:
    """What a model sees of pictures, float32 [pictures, 2 · channels]."""
    chunks: Iterable[Tensor]
    if has_frozen_vision(model):
        read = Features(features)
        chunks = (read(sources[at : at + _CHUNK]) for at in range(0, len(sources), _CHUNK))
    else:
        chunks = see_pictures(sources, open_vision_side(model), side_seen(model))
    return torch.cat([pooled(chunk) for chunk in chunks])


def fit_projection(
    items: Sequence[Item],
    vectors: Vectors,
    encoder: str,
    pools: Mapping[str, Tensor],
    seed: int,
) -> Projection:
    """A projection, learned on the training split, with the weight of a picture's look, chosen on
    the validation split.

    Args:
        items: of both splits, pictures and texts.
        vectors: float32 [items, dimension], of their captions.
        encoder: fingerprint of what has made these.
        pools: what the model sees of each picture, by id: float32 [2 · channels].
    """
    captions: dict[str, list[int]] = {}
    for row, item in enumerate(items):
        if item.kind == "text":
            captions.setdefault(item.pair, []).append(row)
    learned = [
        item
        for item in items
        if item.id in pools and item.split == "train" and item.pair in captions
    ]
    weights = learn_projection(
        torch.stack([pools[item.id] for item in learned]),
        [vectors[captions[item.pair]] for item in learned],
        seed,
    )
    usual = USUAL_WEIGHT * _trust(len(learned))
    projection = Projection(weights, encoder, usual)
    shown = [row for row, item in enumerate(items) if item.split == "val" and item.id in pools]
    if not shown:
        return projection
    looks = np.zeros_like(vectors)
    looks[shown] = projection.of_pools(torch.stack([pools[items[row].id] for row in shown]))
    told = projection.of_texts(vectors)
    return replace(projection, picture_weight=choose_picture_weight(items, told, looks, usual))


def learn_projection(pools: Tensor, captions: Sequence[Vectors], seed: int) -> dict[str, Tensor]:
    """The weights of a projection (:class:`semcore.guide.projection.Projection`), merged of up to
    four trainings; of fewer, where there are fewer than 1,000 pictures.

    Args:
        pools: float32 [pictures, 2 · channels], what the model sees of each
            (:func:`semcore.guide.projection.pooled`).
        captions: of each picture the encoder's vectors, float32 [its captions, dimension].
    """
    members = max(1, round(_MEMBERS * _trust(len(pools))))
    first = _MEMBERS * seed
    merged = _merged([_learned(pools, captions, first + member) for member in range(members)])
    plain = torch.eye(captions[0].shape[1])
    merged["text.weight"] = torch.lerp(plain, merged["text.weight"], _trust(len(pools)))
    return merged


def _learned(pools: Tensor, captions: Sequence[Vectors], seed: int) -> dict[str, Tensor]:
    """The weights of one training."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    weights = _fresh(pools, captions[0].shape[1])
    sharpness = torch.tensor(1 / _TEMPERATURE).log().requires_grad_()
    learned = [
        weights[name].requires_grad_() for name in weights if name.endswith(("weight", "bias"))
    ]
    optimizer = torch.optim.AdamW([*learned, sharpness], weight_decay=_DECAY)
    size = min(_BATCH, len(pools))
    steps = max(_FEWEST_STEPS, _EPOCHS * len(pools) // size)
    order: list[int] = []
    for step in progress(range(steps), "learning the guide's projection"):
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * warm_cosine(step, steps)
        if len(order) < size:
            order = rng.sample(range(len(pools)), len(pools))
        rows = [order.pop() for _ in range(size)]
        pairs = [_two(captions[row], rng) for row in rows]
        first, second = (torch.from_numpy(np.stack(side)) for side in zip(*pairs, strict=True))
        same = first @ first.T > _SAME
        told = mapped_texts(weights, first)
        shown = projected(weights, pools[rows], dropout=_DROPOUT)
        loss = contrastive_loss(shown @ told.T * sharpness.exp(), same)
        loss += contrastive_loss(mapped_texts(weights, second) @ told.T / _TEMPERATURE, same)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    return {name: tensor.detach() for name, tensor in weights.items()}


def _merged(members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """One projection whose output, before it gets unit length, is the mean of its members': their
    hidden layers side by side. They share a space, since texts begin at the encoder's own."""
    mean = {
        name: torch.stack([member[name] for member in members]).mean(dim=0)
        for name in ("mean", "scale", "linear_2.bias", "text.weight")
    }
    return mean | {
        "linear_1.weight": torch.cat([member["linear_1.weight"] for member in members]),
        "linear_1.bias": torch.cat([member["linear_1.bias"] for member in members]),
        "linear_2.weight": torch.cat([member["linear_2.weight"] for member in members], dim=1)
        / len(members),
    }


def _trust(pictures: int) -> float:
    return min(1.0, pictures / _ENOUGH)


def _two(captions: Vectors, rng: random.Random) -> tuple[Vectors, Vectors]:
    """Two captions of a picture, the same one where it has but one."""
    chosen = rng.sample(range(len(captions)), min(2, len(captions)))
    return captions[chosen[0]], captions[chosen[-1]]


def _fresh(pools: Tensor, dimension: int) -> dict[str, Tensor]:
    first = torch.nn.Linear(pools.shape[1], _HIDDEN)
    second = torch.nn.Linear(_HIDDEN, dimension)
    return {
        "mean": pools.mean(dim=0),
        "scale": 1 / (pools.std(dim=0, correction=0) + 1e-3),  # of one picture, too
        "linear_1.weight": first.weight.detach(),
        "linear_1.bias": first.bias.detach(),
        "linear_2.weight": second.weight.detach(),
        "linear_2.bias": second.bias.detach(),
        "text.weight": torch.eye(dimension),
    }
