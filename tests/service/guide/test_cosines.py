"""Cosines are those that numpy has."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from semcore.guide.vectors import quantised, unit
from service.guide.cosines import all_cosines, as_numbers

RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((50, 24)).astype(np.float32)
VECTORS[7] = 0
ADDED = {number: quantised(VECTORS[number : number + 1])[0] for number in range(40, 48)}
QUERY = unit(RNG.standard_normal((1, 24)).astype(np.float32))[0]


def snapshot() -> Any:
    """Forty items of a bundle, and ten added ones, of which two have no vector."""
    nothing = np.zeros(24, dtype=np.int8)
    return SimpleNamespace(
        table=quantised(VECTORS[:40]),
        vectors_of=lambda numbers: np.stack([ADDED.get(int(n), nothing) for n in numbers]),
    )


def wanted(numbers: list[int]) -> np.ndarray:
    found: np.ndarray = unit(quantised(VECTORS))[numbers] @ QUERY
    return found


@pytest.mark.parametrize("numbers", [[3, 0, 39], [1, 40, 2, 47], [41, 42]])
def test_cosines(numbers: list[int]) -> None:
    found = all_cosines(snapshot(), np.array(numbers), QUERY)
    np.testing.assert_allclose(found, wanted(numbers), rtol=1e-4, atol=1e-6)


def test_an_item_without_a_vector_has_none() -> None:
    assert all_cosines(snapshot(), np.array([7, 48, 8]), QUERY)[:2].tolist() == [-2, -2]


def test_a_set_as_an_array() -> None:
    assert as_numbers(BitMap([70_000, 3, 5])).tolist() == [3, 5, 70_000]
    assert as_numbers(BitMap()).dtype == np.int64
