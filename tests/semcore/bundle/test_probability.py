"""What is ranked by more, and leads by more, is likelier to be right."""

import numpy as np
import pytest

from semcore.bundle.probability import Probability, lead

TOLD = Probability(intercept=-6.0, value=8.0, lead=10.0)


def test_a_lead_is_over_the_best_of_the_others() -> None:
    assert lead(np.array([0.5, 0.75, 0.25])).tolist() == [-0.25, 0.25, -0.5]
    assert lead(np.array([0.5, 0.5])).tolist() == [0.0, 0.0]
    assert lead(np.array([0.5])).tolist() == [0.0]
    assert lead(np.array([])).tolist() == []


def test_the_odds_grow_with_value_and_lead() -> None:
    found = TOLD.of([0.75, 0.5])
    assert found[0] == pytest.approx(1 / (1 + np.exp(6 - 8 * 0.75 - 10 * 0.25)))
    assert found[1] == pytest.approx(1 / (1 + np.exp(6 - 8 * 0.5 + 10 * 0.25)))
    assert TOLD.of([0.75, 0.7])[0] < found[0]
    assert TOLD.of([]).tolist() == []


def test_no_value_is_too_large() -> None:
    found = TOLD.of([1e9, -1e9])
    assert found[0] == pytest.approx(1.0)
    assert found[1] == pytest.approx(0.0)
