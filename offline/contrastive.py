"""The contrastive loss of dual encoders."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def contrastive_loss(logits: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy in both directions; right is the diagonal.

    Args:
        logits: float [batch, batch], texts × pictures.
        same: bool [batch, batch], pairs that are no negatives; the diagonal is right anyhow.
    """
    off = same & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    kept = logits.masked_fill(off, float("-inf"))
    right = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(kept, right) + functional.cross_entropy(kept.T, right)) / 2
