"""Exact search is what numpy finds by looking at all."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from semcore.guide.vectors import quantised, unit
from service.search.nearest import all_cosines, nearest

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


def test_an_item_without_a_vector_is_not_found() -> None:
    assert all_cosines(snapshot(), np.array([7, 48, 8]), QUERY)[:2].tolist() == [-2, -2]
    numbers, cosines = nearest(snapshot(), BitMap([7, 48, 49, 8]), QUERY, 10)
    assert numbers.tolist() == [8]
    assert cosines[0] == pytest.approx(wanted([8])[0], rel=1e-4)


@pytest.mark.parametrize("most", [1, 5, 100])
def test_the_nearest(most: int) -> None:
    among = [number for number in range(0, 48, 2) if number != 7]
    numbers, cosines = nearest(snapshot(), BitMap(among), QUERY, most)
    order = sorted(among, key=lambda number: -wanted([number])[0])
    assert numbers.tolist() == order[:most]
    assert (np.diff(cosines) <= 0).all()


def test_equal_ones_come_in_order_of_number() -> None:
    same = SimpleNamespace(table=np.ones((30, 24), dtype=np.int8))
    numbers, _ = nearest(same, BitMap(range(5, 30)), QUERY, 4)  # type: ignore[arg-type]
    assert numbers.tolist() == [5, 6, 7, 8]
    assert nearest(same, BitMap(), QUERY, 4)[0].tolist() == []  # type: ignore[arg-type]
