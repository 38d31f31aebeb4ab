"""Cells hold each item once, by its cluster and by the keyword that tells most."""

from pathlib import Path

import numpy as np
import pytest

from semcore.errors import BundleError
from semcore.guide.cells import FULL, Cells, build_cells, cell_files
from semcore.guide.vectors import quantised, unit
from semcore.identifiers.identifier import Identifier

RNG = np.random.default_rng(0)
WORDS = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300)]


def identified(count: int, clusters: int = 5) -> list[tuple[str, int]]:
    """Identifiers of items with the numbers 3, 5, 7, …; some words are much commoner."""
    found = []
    for row in range(count):
        ranks = RNG.zipf(1.3, size=4) % len(WORDS)
        words = " ".join(dict.fromkeys(WORDS[rank] for rank in ranks))
        found.append((f"<g{RNG.integers(clusters)}> {words}", 2 * row + 3))
    return found


def vectors(count: int) -> np.ndarray:
    return quantised(RNG.standard_normal((count, 24)).astype(np.float32))


def members(cells: Cells) -> list[list[int]]:
    places = zip(cells.starts[:-1], cells.starts[1:], strict=True)
    return [cells.items[start:stop].tolist() for start, stop in places]


def test_an_item_is_in_the_cell_of_the_keyword_that_most_of_its_cluster_have() -> None:
    items = identified(2000)
    cells = build_cells(items, vectors(5000))
    parts = {number: Identifier.parse(text).parts for text, number in items}
    having: dict[tuple[str, str], int] = {}
    for cluster, *words in parts.values():
        for word in words:
            having[cluster, word] = having.get((cluster, word), 0) + 1
    assert sorted(cells.items.tolist()) == sorted(parts)
    assert len(cells.starts) - 1 > 100
    for cell in members(cells):
        assert cell == sorted(cell)
        assert len({parts[number][0] for number in cell}) == 1
        # They share a word, and none has a better one.
        shared = set.intersection(*(set(parts[number][1:]) for number in cell))
        cluster = parts[cell[0]][0]
        best = max(shared, key=lambda word: _worth(having[cluster, word]))
        for number in cell:
            assert _worth(having[cluster, best]) == max(
                _worth(having[cluster, word]) for word in parts[number][1:]
            )


def _worth(count: int) -> int:
    return count if count <= FULL else -count


def test_clusters_hold_their_cells() -> None:
    items = identified(500)
    cells = build_cells(items, vectors(1100))
    cluster_of = {number: Identifier.parse(text).parts[0] for text, number in items}
    assert cells.clusters == 5
    found = members(cells)
    for cluster in range(cells.clusters):
        own = found[cells.first_cell[cluster] : cells.first_cell[cluster + 1]]
        (name,) = {cluster_of[number] for cell in own for number in cell}
        assert sum(map(len, own)) == list(cluster_of.values()).count(name)


def test_means(monkeypatch: pytest.MonkeyPatch) -> None:
    items, rows = identified(400), vectors(1000)
    cells = build_cells(items, rows)
    found = [unit(rows[numbers]).mean(axis=0) for numbers in members(cells)]
    for cluster in range(cells.clusters):
        own = slice(*cells.first_cell[cluster : cluster + 2])
        numbers = [number for cell in members(cells)[own] for number in cell]
        found.insert(cluster, unit(rows[numbers]).mean(axis=0))
    expected = np.stack(found)
    np.testing.assert_allclose(cells.lengths, np.linalg.norm(expected, axis=1), rtol=1e-4)
    np.testing.assert_allclose(unit(cells.means), unit(expected), atol=0.01)
    monkeypatch.setattr("semcore.guide.cells._CHUNK", 7)  # cells are summed up in portions
    np.testing.assert_array_equal(build_cells(items, rows).means, cells.means)


@pytest.mark.parametrize("identifier", ["<g3>", "7 12 9", "<c0_5> <c1_2>", "boat"])
def test_identifiers_of_other_schemes(identifier: str) -> None:
    cells = build_cells([(identifier, 0), (identifier, 1), ("<g4> boat", 2)], vectors(3))
    assert cells.clusters == 2
    assert members(cells) == [[0, 1], [2]]


def test_an_item_without_a_vector_is_in_a_cell() -> None:
    cells = build_cells([("<g0> boat", 0)], np.zeros((1, 4), dtype=np.int8))
    assert cells.lengths.tolist() == [0, 0]
    assert members(cells) == [[0]]


def test_files(tmp_path: Path) -> None:
    cells = build_cells(identified(50), vectors(200))
    cells.save(tmp_path, "image")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(cell_files("image"))
    again = Cells.load(tmp_path, "image")
    np.testing.assert_array_equal(again.items, cells.items)
    np.testing.assert_array_equal(again.first_cell, cells.first_cell)
    np.testing.assert_array_equal(again.lengths, cells.lengths)
    (tmp_path / cell_files("image")[2]).write_bytes(b"none")
    with pytest.raises(BundleError, match=r"first_cell.*build the bundle again"):
        Cells.load(tmp_path, "image")
