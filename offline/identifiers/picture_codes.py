"""Learned codes of pictures: the image tokenizers of IRGen and AVG, over a frozen encoder.

Both quantise a representation of the whole picture by residual codes, and both learn it so that the
picture can be reconstructed from its codes. They differ in what the codes must say besides: with
IRGen the class of the picture, with AVG its caption. Encoder and codebooks are learned in turns:

1. The encoder learns for a while without codes.
2. The codebooks are found by k-means, level by level, in what the encoder gives.
3. The encoder learns with them: the losses see what the codes stand for, and their gradients go to
   the encoder as if nothing were quantised (straight-through, van den Oord et al., 2017).
4. Steps 2 and 3 once more, several times; at the end codebooks once more.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from offline.contrastive import contrastive_loss
from offline.identifiers.quantization import fit_codebooks, nearest_codes
from offline.progress import progress
from offline.schedule import warm_cosine
from semcore.identifiers.encoder import Vectors

_WIDTH = 128
_HIDDEN = 512
_DROPOUT = 0.5  # of as few pictures as there are, an encoder learns each by heart without
_TURNS = 5
_EPOCHS = 15
_FEWEST_STEPS = 200
_BATCH = 256
_LEARNING_RATE = 1e-3
_DECAY = 0.1
_COMMITMENT = 0.25
_TEMPERATURE = 0.05
_SAME = 0.9
"""Captions with a higher cosine say the same, and are no negatives of each other."""


def classified_codes(
    features: Vectors,
    labels: NDArray[np.int64],
    learned: NDArray[np.bool_],
    levels: int,
    size: int,
    seed: int,
) -> NDArray[np.int64]:
    """Codes whose every prefix must tell the class of a picture (IRGen; Zhang et al., 2024).

    Args:
        features: float32 [pictures, dimension].
        labels: int64 [pictures], classes; those of pictures that are not learned from are not read.
        learned: bool [pictures], those that encoder and codebooks are learned from.
        size: codes of a level.

    Returns:
        int64 [pictures, levels].
    """
    own = torch.from_numpy(labels[learned])
    return _codes(features, learned, lambda: _Classes(own), levels, size, seed)


def aligned_codes(
    features: Vectors,
    captions: Vectors,
    learned: NDArray[np.bool_],
    levels: int,
    size: int,
    seed: int,
) -> NDArray[np.int64]:
    """Codes that must tell the caption of a picture from those of others (AVG; Li et al., 2024).

    Args:
        features: float32 [pictures, dimension].
        captions: float32 [pictures, dimension of the text encoder], unit length; those of pictures
            that are not learned from are not read.
        learned: bool [pictures], those that encoder and codebooks are learned from.
        size: codes of a level.

    Returns:
        int64 [pictures, levels].
    """
    own = torch.from_numpy(captions[learned])
    return _codes(features, learned, lambda: _Captions(own), levels, size, seed)


class _Classes(torch.nn.Module):
    """Every prefix must tell the class, by one classifier for all levels."""

    def __init__(self, labels: Tensor) -> None:
        super().__init__()
        self._labels = labels
        self._classifier = torch.nn.Linear(_WIDTH, int(labels.max()) + 1)

    def forward(self, prefixes: Tensor, rows: Tensor) -> Tensor:
        logits = self._classifier(prefixes).flatten(0, 1)
        return functional.cross_entropy(logits, self._labels[rows].repeat(len(prefixes)))


class _Captions(torch.nn.Module):
    """All codes together must lie near the caption, which stays where the text encoder has it."""

    def __init__(self, captions: Tensor) -> None:
        super().__init__()
        self._captions = captions
        self._projection = torch.nn.Linear(_WIDTH, captions.shape[1])

    def forward(self, prefixes: Tensor, rows: Tensor) -> Tensor:
        told = self._captions[rows]
        shown = functional.normalize(self._projection(prefixes[-1]), dim=-1)
        return contrastive_loss(told @ shown.T / _TEMPERATURE, told @ told.T > _SAME)


class _Encoder(torch.nn.Module):
    """A perceptron with one hidden layer, and the linear map that reconstructs what it was given.

    Its output has mean 0 and variance 1, so that no loss can make it small.
    """

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self._mean = features.mean(dim=0)
        self._scale = 1 / (features.std(dim=0, correction=0) + 1e-3)  # of one picture, too
        self._hidden = torch.nn.Linear(features.shape[1], _HIDDEN)
        self._out = torch.nn.Linear(_HIDDEN, _WIDTH)
        self._decoder = torch.nn.Linear(_WIDTH, features.shape[1])

    def forward(self, features: Tensor) -> Tensor:
        """Float32 [pictures, width]."""
        hidden = functional.gelu(self._hidden(self._alike(features)))
        hidden = functional.dropout(hidden, _DROPOUT, self.training)
        return functional.layer_norm(self._out(hidden), (_WIDTH,))

    def reconstruction_loss(self, given: Tensor, features: Tensor) -> Tensor:
        """``given``: float32 [pictures, width], of these features or in its place."""
        return functional.mse_loss(self._decoder(given), self._alike(features))

    @torch.inference_mode()
    def encode(self, features: Tensor) -> Vectors:
        self.eval()
        encoded = np.asarray(self(features).numpy(), dtype=np.float32)
        self.train()
        return encoded

    def _alike(self, features: Tensor) -> Tensor:
        return (features - self._mean) * self._scale


def _codes(
    features: Vectors,
    learned: NDArray[np.bool_],
    semantics: Callable[[], torch.nn.Module],
    levels: int,
    size: int,
    seed: int,
) -> NDArray[np.int64]:
    """``semantics``: gives the loss of what the codes must say besides, by prefixes, float32
    [levels, batch, width], and the rows of the batch among the pictures learned from."""
    seen = torch.from_numpy(features[learned])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = _Encoder(seen)
        _learn(encoder, semantics(), seen, levels, size, seed)
    books = fit_codebooks(encoder.encode(seen), levels, size, seed)
    return nearest_codes(encoder.encode(torch.from_numpy(features)), books)


def _learn(
    encoder: _Encoder, semantics: torch.nn.Module, seen: Tensor, levels: int, size: int, seed: int
) -> None:
    rng = random.Random(seed)
    parameters = [*encoder.parameters(), *semantics.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=_DECAY)
    batch = min(_BATCH, len(seen))
    steps = max(_FEWEST_STEPS, _EPOCHS * len(seen) // batch)
    turn = -(-steps // _TURNS)
    books: Vectors | None = None
    order: list[int] = []
    for step in progress(range(steps), "learning codes of pictures"):
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * warm_cosine(step, steps)
        if step and step % turn == 0:
            books = fit_codebooks(encoder.encode(seen), levels, size, seed)
        if len(order) < batch:
            order = rng.sample(range(len(seen)), len(seen))
        rows = torch.tensor([order.pop() for _ in range(batch)])
        encoded = encoder(seen[rows])
        prefixes = encoded[None] if books is None else _prefixes(encoded, books)
        missed = (encoded - prefixes.detach()).square().mean()
        passed = encoded + (prefixes - encoded).detach()
        loss = semantics(passed, rows) + encoder.reconstruction_loss(passed[-1], seen[rows])
        loss += _COMMITMENT * missed
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _prefixes(encoded: Tensor, books: Vectors) -> Tensor:
    """What the first code stands for, the first two, and so on, float32 [levels, batch, width]."""
    codes = nearest_codes(encoded.detach().numpy(), books)
    chosen = np.stack([book[code] for book, code in zip(books, codes.T, strict=True)])
    return torch.from_numpy(chosen.cumsum(axis=0))
