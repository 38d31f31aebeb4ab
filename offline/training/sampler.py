"""Sampling so that each batch holds samples of one kind and of like length: no padding wasted."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

_WINDOW = 16  # blocks


class BlockSampler(Sampler[int]):
    """Indices into concatenated datasets, in blocks of ``block`` from one dataset each.

    Args:
        sizes: for each dataset, in the order of their concatenation, the sizes of its samples.
        shares: how much of each is drawn in an epoch; 1.0 is all of it once.
        block: the batch size, of all processes together.
    """

    def __init__(
        self, sizes: Sequence[Sequence[int]], shares: Sequence[float], block: int, seed: int
    ) -> None:
        self._sizes = sizes
        self._blocks = [
            max(1, int(len(kind) * share) // block) if kind else 0
            for kind, share in zip(sizes, shares, strict=True)
        ]
        self._block = block
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """So that a resumed run draws what the first would have."""
        self._epoch = epoch

    def __len__(self) -> int:
        return sum(self._blocks) * self._block

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(self._seed * 1000 + self._epoch)
        blocks: list[list[int]] = []
        start = 0
        for kind, count in zip(self._sizes, self._blocks, strict=True):
            drawn: list[int] = []
            while len(drawn) < count * self._block:
                drawn += rng.sample(range(len(kind)), len(kind))
            drawn = drawn[: count * self._block]
            # Sorted within a window of many blocks only: near in size, still drawn at random.
            for window in range(0, len(drawn), _WINDOW * self._block):
                part = slice(window, window + _WINDOW * self._block)
                drawn[part] = sorted(drawn[part], key=lambda index: kind[index])
            ordered = [start + index for index in drawn]
            blocks += [ordered[at * self._block : (at + 1) * self._block] for at in range(count)]
            start += len(kind)
        rng.shuffle(blocks)
        return (index for block in blocks for index in block)
