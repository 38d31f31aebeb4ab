"""Answers of systems that are no service: what they found, as the ranks of the right items."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from offline.evaluation.evaluation import ANSWERS_LOG
from offline.evaluation.query_runner import Answered
from semcore.bundle.item import Item
from semcore.flush import write_whole
from semcore.identifiers.encoder import Vectors
from semcore.kind import DIRECTIONS, Direction


def answered(query: Item, found: Sequence[Item], near: Vectors, scores: Vectors) -> Answered:
    """What matters of an answer: ranks in the order of ``found`` as ``beam``, in the order of the
    scores as ``verified``.

    Args:
        found: items of the gallery, best first.
        near: float32 [found], what they were found by.
        scores: float32 [at most found], of the first of them, in whose order these are given.
    """
    right = [item.pair == query.pair for item in found]
    order = [*(-scores).argsort(kind="stable").tolist(), *range(len(scores), len(right))]
    return Answered(
        query=query.id,
        verified=_first([right[at] for at in order]),
        beam=_first(right),
        lead=float(near[0] - near[1]) if len(near) > 1 else math.inf,
        first_changed=order[:1] not in ([], [0]),
        illegal=0.0,
        pair=query.pair,
    )


def write_answers(folder: Path, answers: Mapping[Direction, Sequence[Answered]]) -> None:
    """Keep what a system answered; a direction that it cannot be asked is left out."""
    rows = {direction: [asdict(one) for one in found] for direction, found in answers.items()}
    write_whole(folder / ANSWERS_LOG, json.dumps(rows))


def read_answers(folder: Path) -> dict[Direction, list[Answered]]:
    """What was answered in each direction; nothing in one that was left out."""
    rows = json.loads((folder / ANSWERS_LOG).read_text())
    return {
        direction: [Answered(**row) for row in rows.get(direction, ())] for direction in DIRECTIONS
    }


def _first(right: Sequence[bool]) -> int | None:
    return right.index(True) + 1 if True in right else None
