"""Queries in other words, so that training does not depend on the words of the captions."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

import numpy as np

from semcore.identifiers.encoder import Encoder
from semcore.identifiers.keywords import NUMBERS

_NEAREST = 4
_LEAST = 0.75
_WORD = re.compile(r"[^\W\d_]{3,}")


class Paraphraser:
    """Replaces words by others of like meaning, as the sentence encoder sees it.

    Single words are a weak spot of such encoders: colours are as near each other as synonyms, and
    numbers nearer. Hence the high ``least``, and numbers stay.
    """

    def __init__(
        self, texts: Iterable[str], encoder: Encoder, share: float, least: float = _LEAST
    ) -> None:
        """``texts`` give the words; ``share`` of those that have a neighbour are replaced."""
        words = sorted({w for text in texts for w in _WORD.findall(text.lower())} - NUMBERS)
        self._share = share
        self._near: dict[str, list[str]] = {}
        if not words:
            return
        vectors = encoder.encode(words)
        for start in range(0, len(words), 1024):
            likeness = vectors[start : start + 1024] @ vectors.T
            for row, word in enumerate(words[start : start + 1024]):
                nearest = np.argsort(-likeness[row])[1 : _NEAREST + 1]
                near = [words[at] for at in nearest if likeness[row, at] >= least]
                if near:
                    self._near[word] = near

    def __call__(self, text: str, rng: random.Random) -> str:
        def other(match: re.Match[str]) -> str:
            near = self._near.get(match.group().lower())
            if near is None or rng.random() >= self._share:
                return match.group()
            return rng.choice(near)

        return _WORD.sub(other, text)
