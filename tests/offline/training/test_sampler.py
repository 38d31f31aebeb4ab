"""Each block holds one kind of samples, of like size; each dataset gives its share."""

import random

from offline.training.sampler import BlockSampler


def test_blocks_hold_one_kind() -> None:
    sampler = BlockSampler([[0] * 40, [0] * 100], [1.0, 0.5], 8, seed=0)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 40 + 48
    blocks = [drawn[start : start + 8] for start in range(0, len(drawn), 8)]
    assert all(len({index < 40 for index in block}) == 1 for block in blocks)
    assert sorted(index for index in drawn if index < 40) == list(range(40))
    assert list(sampler) == drawn
    sampler.set_epoch(1)
    assert list(sampler) != drawn


def test_blocks_hold_like_sizes() -> None:
    sizes = random.Random(0).choices(range(100), k=256)
    drawn = list(BlockSampler([sizes], [1.0], 16, seed=0))
    blocks = [[sizes[index] for index in drawn[at : at + 16]] for at in range(0, 256, 16)]
    assert all(max(block) - min(block) < 30 for block in blocks)
    assert blocks != sorted(blocks)
