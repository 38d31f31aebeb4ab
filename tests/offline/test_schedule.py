"""The learning rate warms up and falls to a twentieth of its peak."""

import pytest

from offline.schedule import warm_cosine


def test_rises_for_fifty_steps_and_falls_from_there_on() -> None:
    rates = [warm_cosine(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 50)
    assert rates.index(max(rates)) == 49
    assert 0.99 < max(rates) < 1
    assert rates[:50] == sorted(rates[:50])
    assert rates[49:] == sorted(rates[49:], reverse=True)
    assert rates[524] == pytest.approx(0.5, abs=0.02)
    assert rates[-1] == pytest.approx(0.05, abs=1e-4)
    assert warm_cosine(1000, 1000) == pytest.approx(0.05)


def test_a_few_steps_stay_far_from_the_peak() -> None:
    assert [warm_cosine(step, 1) for step in range(1)] == [1 / 50]
    assert max(warm_cosine(step, 10) for step in range(10)) < 1 / 5
