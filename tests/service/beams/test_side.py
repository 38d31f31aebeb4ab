"""A side knows its identifiers and their files, and how much room is its own."""

from pathlib import Path

import numpy as np
from pyroaring import BitMap
from walks import walk_of

from semcore.trie.layers import Layer, Layers, live_edges
from service.beams.layer_files import open_layers
from service.beams.side import Side, set_size

SEQUENCES = [(2, 1), (3, 1), (3, 4, 1)]


def test_a_side_of_one_walk_is_known_by_its_files(tmp_path: Path) -> None:
    walk_of(SEQUENCES).save(tmp_path / "image")
    side = Side.of(tmp_path / "image")
    assert side.layers.follow((3, 4, 1)) is not None
    assert side.files == ((str(tmp_path / "image"), ""),)
    assert open_layers(side.files) is side.layers


def test_what_is_shared_with_the_bundle_counts_for_nothing() -> None:
    assert Side(Layers([Layer(walk_of(SEQUENCES))]), ()).size == 0


def test_live_edges_count_in_memory_and_as_a_file_and_items_besides() -> None:
    walk, listed = walk_of(SEQUENCES), BitMap([0, 2])
    live = live_edges(walk, listed)
    filtered = Layer(walk, live, listed)
    size = Side(Layers([filtered]), ()).size
    assert size == 2 * len(live) + set_size(listed)
    assert Side(Layers([filtered, Layer(walk), filtered]), ()).size == 2 * size


def test_a_set_takes_what_its_containers_take() -> None:
    assert set_size(None) == set_size(BitMap()) == 0
    few, runs = BitMap([1, 5, 9]), BitMap(range(10_000))
    runs.run_optimize()
    many = BitMap(np.arange(0, 60_000, 2))
    assert 0 < set_size(few) < 100
    assert 0 < set_size(runs) < 100
    assert set_size(many) == 65_536 // 8
    assert set_size(few | BitMap([10**6])) > set_size(few)
