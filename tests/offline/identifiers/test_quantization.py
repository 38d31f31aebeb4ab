"""Codes stand for vectors: like ones share their beginning, and no two paths are equal."""

import numpy as np

from offline.identifiers.quantization import residual_codes, tree_codes, unique_suffixes


def clusters(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = 10 * rng.normal(size=(3, 8))
    points = np.repeat(centres, count, axis=0) + rng.normal(0, 0.1, (3 * count, 8))
    return points.astype(np.float32)


def test_residual_codes_go_from_coarse_to_fine() -> None:
    vectors = clusters(20)
    learned = np.ones(len(vectors), dtype=bool)
    codes = residual_codes(vectors, learned, levels=3, size=3, seed=0)
    assert codes.shape == (60, 3)
    first = codes[:, 0].reshape(3, 20)
    assert (first == first[:, :1]).all()
    assert len(set(first[:, 0])) == 3
    assert len({tuple(code) for code in codes}) > 3


def test_paths_in_a_tree_are_unique_and_share_their_beginning() -> None:
    paths = tree_codes(clusters(30), branches=3, leaf=10, seed=0)
    assert len(set(paths)) == 90
    for start in range(0, 90, 30):
        assert len({path[0] for path in paths[start : start + 30]}) == 1


def test_equal_vectors_still_get_paths_of_their_own() -> None:
    paths = tree_codes(np.ones((25, 4), dtype=np.float32), branches=3, leaf=4, seed=0)
    assert len(set(paths)) == 25


def test_suffixes_tell_equal_keys_apart() -> None:
    suffixes = unique_suffixes(["a", "b", "a", "a"], seed=0)
    assert suffixes[1] is None
    assert sorted(s for s in suffixes if s is not None) == [0, 1, 2]
