"""Sampling from several kinds of samples so that each batch holds one kind: no padding wasted."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler


class BlockSampler(Sampler[int]):
    """Indices into concatenated datasets, in blocks of ``block`` from one dataset each.

    Args:
        lengths: of the datasets, in the order of their concatenation.
        shares: how much of each is drawn in an epoch; 1.0 is all of it once.
        block: the batch size.
    """

    def __init__(
        self, lengths: Sequence[int], shares: Sequence[float], block: int, seed: int
    ) -> None:
        self._lengths = lengths
        self._blocks = [
            max(1, int(length * share) // block)
            for length, share in zip(lengths, shares, strict=True)
        ]
        self._block = block
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer, so that a resumed run draws what the first would have."""
        self._epoch = epoch

    def __len__(self) -> int:
        return sum(self._blocks) * self._block

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(self._seed * 1000 + self._epoch)
        blocks: list[list[int]] = []
        start = 0
        for length, count in zip(self._lengths, self._blocks, strict=True):
            drawn: list[int] = []
            while len(drawn) < count * self._block:
                drawn += rng.sample(range(start, start + length), length)
            blocks += [drawn[at * self._block : (at + 1) * self._block] for at in range(count)]
            start += length
        rng.shuffle(blocks)
        return (index for block in blocks for index in block)
