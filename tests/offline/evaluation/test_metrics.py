"""Recall by hand, and intervals that hold the value."""

import pytest

from offline.evaluation.metrics import recall_difference, recall_table

RANKS = [1, 3, None, 7, 1, 12, 2, 5]


def apart(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_recall_counts_ranks_up_to_k_and_has_intervals() -> None:
    table = recall_table(RANKS * 20, groups=apart(160))
    assert [table[f"R@{k}"].value for k in (1, 5, 10)] == [25.0, 62.5, 75.0]
    assert table["rSum"].value == pytest.approx(162.5)
    for estimate in table.values():
        assert estimate.low < estimate.value < estimate.high


def test_what_was_never_seen_may_still_happen() -> None:
    """Of 10 tries: up to 31 % (Clopper and Pearson)."""
    for ranks, value, low, high in (([1] * 10, 100, 69.2, 100), ([None] * 10, 0, 0, 30.8)):
        table = recall_table(ranks, groups=apart(10))
        for name, most in (("R@1", 1), ("R@10", 1), ("rSum", 3)):
            one = table[name]
            assert one.value == most * value
            assert (one.low, one.high) == pytest.approx((most * low, most * high), abs=0.1 * most)


def test_queries_of_a_group_are_drawn_together() -> None:
    """Five captions each of which says the same of its picture tell no more than one of them."""
    one = recall_table(RANKS * 10, groups=apart(80))["R@1"]
    five = recall_table(
        [rank for rank in RANKS * 10 for _ in range(5)],
        groups=[name for name in apart(80) for _ in range(5)],
    )["R@1"]
    assert (five.value, five.low, five.high) == pytest.approx((one.value, one.low, one.high))


def test_of_several_runs_a_query_counts_with_its_mean() -> None:
    table = recall_table([1, None], [1, 1], groups=apart(2))
    assert table["R@1"].value == 75.0


def test_difference_is_paired() -> None:
    same = recall_difference([RANKS * 9], [RANKS * 9], 1, apart(72))
    assert (same.low, same.value, same.high) == pytest.approx((-5.0, 0.0, 5.0), abs=0.1)
    better = recall_difference([[1] * 50], [[2] * 50], 1, apart(50))
    assert (better.value, better.high) == (100.0, 100.0)
    assert better.low > 80
