"""Measures a running service on the held-out queries of its bundle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from offline.evaluation.metrics import Estimate, recall_table
from offline.evaluation.query_runner import (
    PATIENCE,
    Answered,
    Guide,
    Questions,
    ask,
    asked_directions,
    is_guided,
)
from semcore.bundle.bundle import read_manifest
from semcore.bundle.calibration import read_calibration
from semcore.client import AsyncSemcoreClient
from semcore.errors import CorpusError
from semcore.kind import Direction

ANSWERS_LOG = "answers.jsonl"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        verified: share of the searches in which the model judged the candidates.
        illegal: share of the spelled identifiers that do not exist.
    """

    direction: Direction
    system: str
    queries: int
    recall: dict[str, Estimate]
    verified: float
    illegal: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Attributes:
    asked: what of, but for the direction.
    rows: in full, with and without verification, and without the constraint.
    answers: of each direction that the split has queries of, in full.
    """

    asked: Questions
    rows: list[Row]
    answers: dict[str, list[Answered]]


async def evaluate(
    url: str,
    bundle: Path,
    *,
    split: str = "test",
    limit: int | None = 300,
    beam_width: int = 20,
    seed: int = 0,
    folder: Path | None = None,
    key: str | None = None,
    image_root: str | Path | None = None,
) -> Evaluation:
    """Search with up to ``limit`` queries of each direction, and again without the constraint.

    The rows without verification, and with it where the bundle's margin asks for it (``auto``),
    rank the same answers by what the beams found. A direction without queries is left out, unless
    both are.

    Args:
        folder: where answers are kept, so that a run that was stopped goes on.
        key: for a service that has keys for searches.
        image_root: folder of the pictures, or its URL, if not what the bundle says.

    Raises:
        CorpusError: nothing of the split can be found.

    Raises what :func:`offline.evaluation.query_runner.ask` raises, too.
    """
    manifest = read_manifest(bundle)
    gallery = manifest.settings.gallery
    if split not in gallery:
        raise CorpusError(
            f"{bundle} is searched for items of {', '.join(gallery)}; no query of the split "
            f"{split!r} has anything to find"
        )
    calibrations = read_calibration(bundle)
    guide: Guide = "none" if manifest.guide is None else "auto"
    rows: list[Row] = []
    answers: dict[str, list[Answered]] = {}
    log = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / ANSWERS_LOG
    async with AsyncSemcoreClient(url, key, timeout=PATIENCE) as client:
        for direction in asked_directions(bundle, split):
            alone = Questions(direction, split, limit, beam_width, seed=seed)
            questions = replace(alone, guide=guide)
            answered = answers[direction] = await ask(client, bundle, questions, log, image_root)
            rows.append(row(direction, "full", answered, math.inf))
            margin = calibrations.of(direction, guided=guide == "auto").margin
            if margin is not None:
                rows.append(row(direction, "auto", answered, margin))
            rows.append(row(direction, "without GSV", answered, -math.inf))
            if is_guided(answered):
                by_guide = await ask(client, bundle, replace(alone, guide="only"), log, image_root)
                rows.append(row(direction, "the guide alone", by_guide, -math.inf))
                unguided = await ask(client, bundle, alone, log, image_root)
                rows.append(row(direction, "without the guide", unguided, math.inf))
            free = replace(alone, constrained=False)
            answered = await ask(client, bundle, free, log, image_root)
            rows.append(row(direction, "without constraint", answered, math.inf))
    return Evaluation(questions, rows, answers)


def row(
    direction: Direction, system: str, answered: Sequence[Answered], margin: float = math.inf
) -> Row:
    """Of answers that are verified where the first candidate leads by less than ``margin``."""
    judged = [one.lead < margin for one in answered]
    ranks = [
        one.verified if by_model else one.beam
        for one, by_model in zip(answered, judged, strict=True)
    ]
    illegal = sum(one.illegal for one in answered) / len(answered)
    asked = [
        by_model and any(item.is_judged for item in one.items)
        for one, by_model in zip(answered, judged, strict=True)
    ]
    verified = sum(asked) / len(answered)
    recall = recall_table(ranks, groups=[one.pair for one in answered])
    return Row(direction, system, len(answered), recall, verified, illegal)


def markdown_table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, in per cent with 95 % intervals."""
    names = list(rows[0].recall)
    lines = [
        f"| direction | system | queries | {' | '.join(names)} | verified | illegal |",
        "|---|---|---" + "|---" * len(names) + "|---|---|",
    ]
    for one in rows:
        values = " | ".join(str(one.recall[name]) for name in names)
        shares = f"{100 * one.verified:.0f} | {100 * one.illegal:.1f}"
        lines.append(f"| {one.direction} | {one.system} | {one.queries} | {values} | {shares} |")
    return "\n".join(lines)
