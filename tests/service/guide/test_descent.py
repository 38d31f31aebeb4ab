"""A descent looks at few items, and these are the ones that matter."""

from types import SimpleNamespace

import numpy as np
import pytest
from pyroaring import BitMap

from semcore.guide.cells import Cells, build_cells
from semcore.guide.vectors import Quantised, quantised, unit
from service.guide.cosines import all_cosines
from service.guide.descent import promising

CLUSTERS, WORDS, DIMENSION = 16, 40, 32


def gallery(count: int) -> tuple[Cells, Quantised, np.ndarray]:
    """Items that lie about their clusters, and there about their words; and centres of both."""
    rng = np.random.default_rng(0)
    clusters = unit(rng.standard_normal((CLUSTERS, DIMENSION)).astype(np.float32))
    words = rng.standard_normal((WORDS, DIMENSION)).astype(np.float32)
    centres = unit(clusters[:, None].repeat(WORDS, 1).reshape(-1, DIMENSION) * 6
                   + np.tile(words, (CLUSTERS, 1)))  # fmt: skip
    which = rng.integers(len(centres), size=count)
    noise = 0.05 * rng.standard_normal((count, DIMENSION)).astype(np.float32)
    rows = quantised(centres[which] + noise)
    letters = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(WORDS)]
    texts = [f"<g{one // WORDS}> {letters[one % WORDS]}" for one in which.tolist()]
    return build_cells(zip(texts, range(count), strict=True), rows), rows, centres


def looking_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a descent look at about so many items."""
    monkeypatch.setattr("service.guide.descent.FEWEST_LOOKS", count)
    monkeypatch.setattr("service.guide.descent.LOOKS", count)


def test_a_look_at_some_finds_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, rows, centres = gallery(4000)
    looking_at(200, monkeypatch)
    table = SimpleNamespace(table=rows, vectors_of=None)
    shares = []
    for query in centres[::37]:
        found = promising(cells, None, query)
        assert 200 <= len(found) == len(set(found.tolist())) < 400
        exact = np.argsort(-all_cosines(table, np.arange(4000), query))[:10]
        shares.append(len(set(exact.tolist()) & set(found.tolist())) / 10)
    assert np.mean(shares) > 0.95


def test_many_cells_are_taken_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, _, centres = gallery(4000)
    looking_at(300, monkeypatch)
    sorted_at_once = promising(cells, None, centres[3])
    monkeypatch.setattr("service.guide.descent._SORTED", 7)
    in_portions = promising(cells, None, centres[3])
    assert set(sorted_at_once[:100].tolist()) <= set(in_portions.tolist())
    assert sorted_at_once[:20].tolist() == in_portions[:20].tolist()
    every = BitMap(range(4000))
    looking_at(4000, monkeypatch)
    assert BitMap(promising(cells, None, centres[3]).astype(np.uint32)) == every


def test_of_as_many_as_it_looks_at_it_finds_all() -> None:
    cells, _, centres = gallery(500)
    assert sorted(promising(cells, None, centres[0]).tolist()) == list(range(500))
    listed = BitMap(range(0, 500, 7))
    assert sorted(promising(cells, listed, centres[0]).tolist()) == list(listed)


def test_it_looks_at_a_share_of_all_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, _, centres = gallery(4000)
    for fewest, most, looks in ((50, 1000, 200), (300, 1000, 300), (50, 100, 100)):
        monkeypatch.setattr("service.guide.descent.FEWEST_LOOKS", fewest)
        monkeypatch.setattr("service.guide.descent.LOOKS", most)
        assert looks <= len(promising(cells, None, centres[5])) < looks + 100


def test_a_filter_makes_it_look_farther(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, _, centres = gallery(4000)
    looking_at(50, monkeypatch)
    for step in (1, 3, 10):
        listed = BitMap(range(0, 4000, step))
        found = promising(cells, listed, centres[5])
        assert len(found) >= 50
        assert set(found.tolist()) <= set(listed)
    # But not through all of them.
    few = BitMap(range(0, 4000, 1000))
    monkeypatch.setattr("service.guide.descent._MOST_LOOKS", 4)
    assert len(promising(cells, few, centres[5])) <= 4


def test_a_cluster_without_a_direction_holds_up_nothing() -> None:
    cells = build_cells([("<g0> boat", 0), ("<g1> boat", 1)], np.zeros((2, 4), dtype=np.int8))
    assert sorted(promising(cells, None, np.ones(4, dtype=np.float32) / 2).tolist()) == [0, 1]
