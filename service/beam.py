"""Constrained beam search: the likeliest identifiers of a walk for one query.

The semantics are those of Hugging Face's ``generate`` with ``num_beams``, ``early_stopping=False``
and no length penalty, held to the walk by ``prefix_allowed_tokens_fn``; the tests compare the two.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from pathlib import Path

from semcore.walk import ROOT, Walk
from service.engine import Branch, Continuations, Engine, Prompt


@dataclass(frozen=True, slots=True)
class Beam:
    """A finished identifier: its number in the trie, and the sum of its log-probabilities.

    ``key`` is None for a sequence that the trie does not hold (unconstrained search only).
    """

    key: int | None
    logprob: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Running:
    logprob: float
    branch: Branch


async def beam_search(
    engine: Engine, prompt: Prompt, walk: Walk, stem: Path, beam_width: int, *, constrained: bool
) -> list[Beam]:
    """Up to ``beam_width`` identifiers, likeliest first (paper 3.2.3).

    Args:
        walk: the identifiers that exist.
        stem: the files of ``walk``, for the engine's own process.
        constrained: whether the walk restricts the search; if not, all tokens are allowed and
            what was spelled is looked up in the walk afterwards.
    """
    running = [_Running(0.0, Branch())]
    finished: list[Beam] = []
    for _ in range(walk.depth):
        answers = await engine.continue_branches(
            prompt,
            [beam.branch for beam in running],
            stem if constrained else None,
            2 * beam_width,
        )
        best = _best(running, answers, 2 * beam_width)
        following: list[_Running] = []
        for rank, (logprob, parent, token) in enumerate(best):
            tokens = (*running[parent].branch.tokens, token)
            if token != engine.end:
                node = walk.step(running[parent].branch.node, token) if constrained else ROOT
                assert node is not None, "the engine returned a token that the walk forbids"
                following.append(_Running(logprob, Branch(tokens, node)))
            elif rank < beam_width:
                finished.append(Beam(_key(walk, tokens), logprob, tokens))
        finished = heapq.nlargest(beam_width, finished, key=lambda beam: beam.logprob)
        running = following[:beam_width]
        full = len(finished) == beam_width
        if not running or (full and finished[-1].logprob >= running[0].logprob):
            break
    return finished


def _best(
    running: list[_Running], answers: list[Continuations], count: int
) -> list[tuple[float, int, int]]:
    """The ``count`` best (logprob, parent, token) over all beams, best first."""
    candidates = (
        (beam.logprob + logprob, parent, token)
        for parent, (beam, answer) in enumerate(zip(running, answers, strict=True))
        for token, logprob in zip(answer.tokens, answer.logprobs, strict=True)
    )
    return heapq.nsmallest(count, candidates, key=lambda c: (-c[0], c[1], c[2]))


def _key(walk: Walk, tokens: tuple[int, ...]) -> int | None:
    leaf = walk.follow(tokens)
    return None if leaf is None or walk.keys[leaf] < 0 else int(walk.keys[leaf])
