"""The compiled pass over a walk lists what each row allows, and the edges that lead on."""

import subprocess
import sys

import numpy as np
import pytest
from walks import random_positions, random_walk

from semcore.trie.walk import ABSENT, GROUP, TAIL
from service.beams.mask_cpu import list_pairs


@pytest.mark.parametrize("seed", range(4))
def test_lists_the_tokens_and_edges_of_each_row(seed: int) -> None:
    walk = random_walk(seed)
    positions = random_positions(walk, seed)
    # Nodes are among them, and tails beyond the first of those whose start is kept.
    assert min(positions) < walk.nodes
    assert max(positions) >= walk.nodes + TAIL * GROUP
    rows, tokens, edges = list_pairs(walk, np.array(positions))
    assert (rows.dtype, tokens.dtype, edges.dtype) == (np.int64, np.int32, np.int64)
    assert rows.tolist() == sorted(rows.tolist())
    for row, position in enumerate(positions):
        mine = rows == row
        assert sorted(tokens[mine].tolist()) == walk.allowed(position).tolist()
        if position < walk.nodes:
            known = [walk.edge(position, token) for token in tokens[mine].tolist()]
            assert edges[mine].tolist() == known


def test_a_row_without_a_place_has_no_pairs() -> None:
    walk = random_walk(0)
    rows, tokens, _ = list_pairs(walk, np.array([ABSENT, 0, ABSENT]))
    assert set(rows.tolist()) == {1}
    assert sorted(tokens.tolist()) == walk.allowed(0).tolist()
    assert all(len(array) == 0 for array in list_pairs(walk, np.array([ABSENT])))


def test_the_compiler_is_not_imported_before_it_is_needed() -> None:
    command = [sys.executable, "-c", "import sys, service.beams.mask_cpu; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "service.beams.mask_cpu" in done.stdout.split()
    assert "numba" not in done.stdout.split()
