"""The nearest are those that numpy finds by looking at all."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from semcore.guide.cells import build_cells
from semcore.guide.vectors import quantised, unit
from service.guide.nearest import nearest
from service.guide.visible import Visible

RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((50, 24)).astype(np.float32)
VECTORS[7] = 0
ADDED = {number: quantised(VECTORS[number : number + 1])[0] for number in range(40, 48)}
QUERY = unit(RNG.standard_normal((1, 24)).astype(np.float32))[0]
CELLS = build_cells([(f"<g{n % 3}> boat", n) for n in range(40)], quantised(VECTORS[:40]))


def snapshot() -> Any:
    """Forty items of a bundle, and ten added ones, of which two have no vector."""
    nothing = np.zeros(24, dtype=np.int8)
    return SimpleNamespace(
        table=quantised(VECTORS[:40]),
        vectors_of=lambda numbers: np.stack([ADDED.get(int(n), nothing) for n in numbers]),
    )


def wanted(number: int) -> float:
    return float(unit(quantised(VECTORS))[number] @ QUERY)


def test_an_item_without_a_vector_is_not_found() -> None:
    numbers, cosines = nearest(snapshot(), Visible(BitMap([7, 48, 49, 8])), QUERY, 10)
    assert numbers.tolist() == [8]
    assert cosines[0] == pytest.approx(wanted(8), rel=1e-4)


@pytest.mark.parametrize("most", [1, 5, 100])
@pytest.mark.parametrize(
    ("visible", "among"),
    [
        (Visible(BitMap(range(0, 48, 2))), range(0, 48, 2)),
        (Visible(BitMap([41, 46]), CELLS), [*range(40), 41, 46]),
        (Visible(BitMap([47]), CELLS, BitMap(range(3, 33))), [*range(3, 33), 47]),
    ],
)
def test_the_nearest(visible: Visible, among: list[int], most: int) -> None:
    numbers, cosines = nearest(snapshot(), visible, QUERY, most)
    order = sorted(set(among) - {7}, key=lambda number: -wanted(number))
    assert numbers.tolist() == order[:most]
    assert (np.diff(cosines) <= 0).all()


def test_equal_ones_come_in_order_of_number() -> None:
    table = np.ones((30, 24), dtype=np.int8)
    same: Any = SimpleNamespace(table=table)
    cells = build_cells([(f"<g{n % 4}> boat", n) for n in range(5, 30)], table)
    for visible in (Visible(BitMap(range(5, 30))), Visible(BitMap(), cells)):
        numbers, _ = nearest(same, visible, QUERY, 4)
        assert numbers.tolist() == [5, 6, 7, 8]
    assert nearest(same, Visible(BitMap()), QUERY, 4)[0].tolist() == []
