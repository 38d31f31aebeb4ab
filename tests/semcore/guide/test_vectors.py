"""Of a vector its direction is kept, in eight bits a component."""

from pathlib import Path

import numpy as np
import pytest

from semcore.errors import BundleError
from semcore.guide.vectors import VECTORS, VectorTable, combined, quantised, unit

RNG = np.random.default_rng(0)


def directions(count: int, dimension: int = 384) -> np.ndarray:
    return unit(RNG.standard_normal((count, dimension)))


def test_cosines_are_kept() -> None:
    vectors, query = directions(100), directions(1)[0]
    rows = quantised(vectors)
    assert rows.dtype == np.int8
    assert rows.nbytes == 384 * 100
    np.testing.assert_allclose(unit(rows) @ query, vectors @ query, atol=3e-3)
    np.testing.assert_array_equal(quantised(vectors * 7), rows)


def test_nothing_stays_nothing() -> None:
    nothing = np.zeros((2, 8), dtype=np.float32)
    assert not quantised(nothing).any()
    assert not unit(nothing).any()


def test_one_of_the_two_alone_where_there_is_only_one() -> None:
    captions, pictures = directions(3), directions(3)
    captions[1], pictures[2] = 0, 0
    both, picture, caption = combined(captions, pictures, 0.25)
    np.testing.assert_allclose(both, unit(captions[:1] + 0.25 * pictures[:1])[0], rtol=1e-6)
    np.testing.assert_allclose(picture, pictures[1], rtol=1e-5)
    np.testing.assert_allclose(caption, captions[2], rtol=1e-5)


def test_a_table_is_read_by_number(tmp_path: Path) -> None:
    rows = quantised(directions(5))
    np.save(tmp_path / VECTORS, rows)
    np.testing.assert_array_equal(VectorTable(tmp_path).rows[[4, 1]], rows[[4, 1]])
    (tmp_path / VECTORS).write_bytes(b"none")
    with pytest.raises(BundleError, match="build the bundle again"):
        VectorTable(tmp_path)
    with pytest.raises(BundleError, match="cannot be read"):
        VectorTable(tmp_path / "none")
