"""Codes stand for vectors: like ones share their beginning, and no two paths are equal."""

import numpy as np

from offline.identifiers.quantization import (
    fit_codebooks,
    nearest_codes,
    residual_codes,
    tree_codes,
    unique_suffixes,
)


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


def test_each_code_comes_nearer_to_the_vector() -> None:
    vectors = clusters(20)
    books = fit_codebooks(vectors, levels=3, size=3, seed=0)
    assert books.shape == (3, 3, 8)
    codes = nearest_codes(vectors, books)
    told = np.stack([book[code] for book, code in zip(books, codes.T, strict=True)]).cumsum(axis=0)
    missed = np.square(vectors - told).sum(axis=(1, 2))
    assert missed[0] > missed[1] > missed[2]
    learned = np.ones(len(vectors), dtype=bool)
    np.testing.assert_array_equal(codes, residual_codes(vectors, learned, 3, 3, seed=0))


def test_codebooks_are_learned_from_some_vectors() -> None:
    vectors, learned = clusters(20), np.arange(60) < 40
    codes = residual_codes(vectors, learned, levels=2, size=4, seed=0)
    vectors[-1] = 100
    changed = residual_codes(vectors, learned, levels=2, size=4, seed=0)
    np.testing.assert_array_equal(changed[:-1], codes[:-1])


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
