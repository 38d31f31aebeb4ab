"""The classical rival: a dual encoder with exact search, of the same backbone as the product's.

Text and picture each go through the whole backbone, with the prompts of the generative model; the
last hidden state of a prompt, at unit length, is its vector. It has the parameters that the
generative model has, and one for the temperature.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import ProcessorMixin

from offline.contrastive import contrastive_loss
from offline.image_inputs import PictureReader, picture_reader
from offline.model.backbone import Backbone, load_model, on_device, save_model
from offline.model.precision import half_precision
from offline.progress import progress
from offline.schedule import warm_cosine
from offline.training.collator import image_text, left_padded
from semcore.bundle.item import Item
from semcore.extras import MissingExtraError
from semcore.identifiers.encoder import Vectors
from semcore.model.prompt import IMAGE, identifier_prompt
from semcore.pictures.picture_source import picture_source

_BATCH = 64
_TEMPERATURE = 0.07
_SAME = 0.9
_DECAY = 0.05
_SHARPNESS = "sharpness.json"


class TwoTower:
    """Vectors of texts and pictures by one backbone."""

    def __init__(
        self, model: Backbone, processor: ProcessorMixin, pictures: PictureReader, root: str | Path
    ) -> None:
        self.model = model
        self._processor = processor
        self._image_text = image_text(processor)
        self._pictures = pictures
        self._root = root
        scale = torch.tensor(1.0 / _TEMPERATURE, device=model.device).log()
        self._scale = torch.nn.Parameter(scale)

    @classmethod
    def load(cls, folder: Path, root: str | Path, features: Path) -> TwoTower:
        """Those that were saved, or new ones of a base model.

        Args:
            root: that the paths of pictures are relative to.
            features: what the frozen encoder saw, of a model that sees by one.
        """
        model, processor = load_model(folder)
        towers = cls(on_device(model), processor, picture_reader(processor, folder, features), root)
        if (folder / _SHARPNESS).exists():
            sharpness = json.loads((folder / _SHARPNESS).read_text())
            towers._scale.data.fill_(sharpness).log_()
        return towers

    def save(self, folder: Path) -> None:
        save_model(self.model, self._processor, folder)
        (folder / _SHARPNESS).write_text(json.dumps(self.sharpness))

    def fit(
        self,
        items: Sequence[Item],
        vectors: Vectors,
        samples: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        """Train on pairs of a text and its picture, with the contrastive loss in both directions.

        Pairs of a batch whose captions say the same are no negatives of each other: false
        negatives are eliminated (Li et al., 2023), by the likeness of their captions.

        Args:
            vectors: float32 [texts, dimension], unit length, of the texts of ``items`` in order.
            samples: texts and pictures seen in all.
        """
        rng = random.Random(seed)
        texts = [item for item in items if item.kind == "text"]
        images = {item.pair: item for item in items if item.kind == "image"}
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW([*parameters, self._scale], weight_decay=_DECAY)
        batch_size = min(_BATCH, len(texts))
        steps = max(1, samples // (2 * batch_size))
        order: list[int] = []
        self.model.train()
        for step in progress(range(steps), "training two towers"):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * warm_cosine(step, steps)
            if len(order) < batch_size:
                order += rng.sample(range(len(texts)), len(texts))
            rows = [order.pop() for _ in range(batch_size)]
            batch = [texts[row] for row in rows]
            ours = self._vectors([text.caption for text in batch])
            theirs = self._vectors(pictures=[images[text.pair].image for text in batch])
            pairs = np.array([text.pair for text in batch])
            likeness = vectors[rows] @ vectors[rows].T
            same = (pairs[:, None] == pairs[None]) | (likeness > _SAME)
            logits = ours @ theirs.T * self._scale.exp()
            loss = contrastive_loss(logits, torch.as_tensor(same, device=logits.device))
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()

    @property
    def sharpness(self) -> float:
        """What likenesses are multiplied with to become logits."""
        return float(self._scale.detach().exp())

    @torch.no_grad()
    def encode(self, items: Sequence[Item]) -> Vectors:
        """Float32 [len(items), hidden], unit length; all items are of one kind."""
        self.model.eval()
        found = []
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            if batch[0].kind == "text":
                vectors = self._vectors([item.caption for item in batch])
            else:
                vectors = self._vectors(pictures=[item.image for item in batch])
            found.append(vectors.cpu().numpy())
        return np.concatenate(found)

    def _vectors(self, texts: Sequence[str] = (), pictures: Sequence[str] = ()) -> Tensor:
        """Float [texts or pictures, hidden]."""
        prompts = [identifier_prompt("text-to-image", text) for text in texts] or [
            identifier_prompt("image-to-text").replace(IMAGE, self._image_text)
        ] * len(pictures)
        inputs = left_padded(self._processor, prompts).to(self.model.device)
        more = {}
        if pictures:
            sources = [picture_source(self._root, image) for image in pictures]
            more["pixel_values"] = self._pictures(sources).to(self.model.device)
        with half_precision(self.model):
            hidden = self.model.model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], **more
            )[0]
        return functional.normalize(hidden[:, -1].float(), dim=-1)


def exact_search(
    queries: Vectors, gallery: Vectors, top_k: int
) -> tuple[NDArray[np.int64], Vectors]:
    """The nearest of the gallery by inner product, with faiss, exactly.

    Returns:
        Places int64 and likenesses float32, both [queries, top_k], best first.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("exact search among vectors", "rivals") from error
    index = faiss.IndexFlatIP(gallery.shape[1])
    index.add(gallery)
    likeness, places = index.search(queries, min(top_k, len(gallery)))
    return places, likeness
