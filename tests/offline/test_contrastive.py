"""Pairs that say the same are no negatives of each other."""

import pytest
import torch

from offline.contrastive import contrastive_loss


def test_false_negatives_cost_nothing() -> None:
    logits = torch.tensor([[4.0, 4.0], [0.0, 4.0]])
    none = torch.eye(2, dtype=torch.bool)
    both = torch.ones(2, 2, dtype=torch.bool)
    assert contrastive_loss(logits, both).item() == pytest.approx(0.0)
    assert contrastive_loss(logits, none).item() > 0.1
