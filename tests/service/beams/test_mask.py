"""The mask of a batch is what the walk allows row by row, and scores stay the model's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pyroaring import BitMap
from walks import END, VOCABULARY, random_positions, random_walk

from semcore.trie.layers import Layer, Layers, Positions, live_edges
from semcore.trie.walk import ABSENT, ROOT
from service.beams.mask import MaskLayer, WalkTensors, allowed_pairs, mask_logits

CPU = torch.device("cpu")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("surplus", [None, 0, 7])
def test_pairs_are_what_each_row_allows(seed: int, surplus: int | None) -> None:
    walk = random_walk(seed)
    positions = random_positions(walk, seed)
    count = sum(len(walk.allowed(position)) for position in positions)
    most = None if surplus is None else count + surplus
    tensors = WalkTensors.of(walk, CPU)
    pairs = allowed_pairs(tensors, torch.tensor(positions), most)
    for row, position in enumerate(positions):
        tokens = set(pairs.tokens[pairs.rows == row].tolist())
        assert tokens == set(walk.allowed(position).tolist())
    assert len(pairs.rows) == (most or count)


@pytest.mark.parametrize("seed", range(4))
def test_masks_after_the_softmax_and_steps_on(seed: int) -> None:
    walk = random_walk(seed)
    tensors = WalkTensors.of(walk, CPU)
    positions = random_positions(walk, seed)
    # Few different values, so that there are ties.
    logits = torch.randint(0, 3, (len(positions) + 1, VOCABULARY)).float()
    before = logits.clone()
    rows = torch.arange(1, len(positions) + 1)
    layers = [MaskLayer(tensors)]
    following = mask_logits(logits, rows, layers, torch.tensor(positions)[:, None])[:, 0]
    assert torch.equal(logits[0], before[0])
    logprobs = before.log_softmax(dim=-1)
    for row, position in enumerate(positions, start=1):
        allowed = walk.allowed(position)
        finite = logits[row].isfinite().nonzero().flatten()
        assert finite.tolist() == allowed.tolist()
        assert torch.allclose(logits[row, finite], logprobs[row, finite], atol=1e-6)
        token = int(logits[row].argmax())
        assert (logits[row] == logits[row, token]).sum() == 1
        step = walk.step(position, token)
        assert step is not None
        if token != END:
            assert following[row - 1] == step[0]


def test_shares_the_memory_of_the_files(tmp_path: Path) -> None:
    from semcore.trie.walk import load_walk

    random_walk(0).save(tmp_path / "image")
    walk = load_walk(tmp_path / "image")
    tensors = WalkTensors.of(walk, CPU)
    assert tensors.codes.data_ptr() == walk.codes.ctypes.data
    assert tensors.bound(0) == len(walk.allowed(ROOT))
    assert tensors.bound(99) == 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("on_device", [False, True])
def test_layers_with_items_out_of_reach(seed: int, on_device: bool) -> None:
    """``on_device``: with bounds for the number of pairs, as on a GPU."""
    rng = np.random.default_rng(seed)
    walks = [random_walk(seed), random_walk(seed + 100)]
    listed = [BitMap(np.flatnonzero(rng.random(walk.identifiers) < 0.2)) for walk in walks]
    both = [
        Layer(walk, live_edges(walk, mine), mine) for walk, mine in zip(walks, listed, strict=True)
    ]
    if seed % 2:
        both[1] = Layer(walks[1])
    layers = Layers(both)
    places = random_places(layers, seed)
    logits = torch.randint(0, 3, (len(places), VOCABULARY)).float()
    logprobs = logits.log_softmax(dim=-1)
    tensors = [
        MaskLayer(
            WalkTensors.of(layer.walk, CPU),
            None if layer.live is None else torch.from_numpy(layer.live),
            VOCABULARY * len(places) if on_device else None,
        )
        for layer in both
    ]
    following = mask_logits(logits, torch.arange(len(places)), tensors, torch.tensor(places))
    for row, positions in enumerate(places):
        finite = logits[row].isfinite().nonzero().flatten()
        assert finite.tolist() == layers.allowed(positions).tolist()
        assert torch.allclose(logits[row, finite], logprobs[row, finite], atol=1e-6)
        token = int(logits[row].argmax())
        assert (logits[row] == logits[row, token]).sum() == 1
        step = layers.step(positions, token)
        assert step is not None
        if token != END:
            assert tuple(following[row].tolist()) == step[0]


def test_rows_that_lead_nowhere_stay_without_a_token() -> None:
    walk = random_walk(0)
    nothing = torch.zeros(len(walk.codes), dtype=torch.bool)
    logits = torch.zeros(2, VOCABULARY)
    layers = [MaskLayer(WalkTensors.of(walk, CPU), nothing)]
    following = mask_logits(logits, torch.arange(2), layers, torch.zeros(2, 1, dtype=torch.int64))
    assert not logits.isfinite().any()
    assert following.eq(ABSENT).all()


def random_places(layers: Layers, seed: int) -> list[Positions]:
    """Places met on the way, of nodes and in tails, where at least one layer goes on."""
    rng = np.random.default_rng(seed)
    met = []
    for _ in range(30):
        positions, token = layers.root, 0
        while token != END:
            met.append(positions)
            token = int(rng.choice(layers.allowed(positions)))
            step = layers.step(positions, token)
            assert step is not None
            positions = step[0]
    return met
