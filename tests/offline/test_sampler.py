"""Each block comes from one dataset, and each dataset gives its share."""

from offline.sampler import BlockSampler


def test_blocks_hold_one_kind() -> None:
    sampler = BlockSampler([40, 100], [1.0, 0.5], 8, seed=0)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 40 + 48
    blocks = [drawn[start : start + 8] for start in range(0, len(drawn), 8)]
    assert all(len({index < 40 for index in block}) == 1 for block in blocks)
    assert sorted(index for index in drawn if index < 40) == list(range(40))
    assert list(sampler) == drawn
    sampler.set_epoch(1)
    assert list(sampler) != drawn
