"""Recall by hand, and intervals that hold the value."""

import pytest

from offline.metrics import recall_difference, recall_table

RANKS = [1, 3, None, 7, 1, 12, 2, 5]


def test_recall_counts_ranks_up_to_k_and_has_intervals() -> None:
    table = recall_table(RANKS * 20)
    assert [table[f"R@{k}"].value for k in (1, 5, 10)] == [25.0, 62.5, 75.0]
    assert table["rSum"].value == pytest.approx(162.5)
    for estimate in table.values():
        assert estimate.low < estimate.value < estimate.high
    certain = recall_table([1] * 10)["R@1"]
    assert (certain.low, certain.high) == (100.0, 100.0)


def test_of_several_runs_a_query_counts_with_its_mean() -> None:
    table = recall_table([1, None], [1, 1])
    assert table["R@1"].value == 75.0


def test_difference_is_paired() -> None:
    same = recall_difference([RANKS], [RANKS], 1)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)
    better = recall_difference([[1] * 50], [[2] * 50], 1)
    assert (better.low, better.value) == (100.0, 100.0)
