"""Recall by hand, and intervals that hold the value."""

import pytest

from offline.metrics import recall_at_k, recall_table

RANKS = [1, 3, None, 7, 1, 12, 2, 5]


def test_recall_counts_ranks_up_to_k() -> None:
    assert recall_at_k(RANKS, 1) == 25.0
    assert recall_at_k(RANKS, 5) == pytest.approx(62.5)
    assert recall_at_k(RANKS, 10) == 75.0


def test_table_agrees_and_has_intervals() -> None:
    table = recall_table(RANKS * 20)
    assert [table[f"R@{k}"].value for k in (1, 5, 10)] == [25.0, 62.5, 75.0]
    assert table["rSum"].value == pytest.approx(162.5)
    for estimate in table.values():
        assert estimate.low < estimate.value < estimate.high
    certain = recall_table([1] * 10)["R@1"]
    assert (certain.low, certain.high) == (100.0, 100.0)
