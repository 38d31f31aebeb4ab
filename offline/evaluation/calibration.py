"""How candidates are judged, and when that may be left out: measured on validation queries, kept in
the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from offline.evaluation.guided_weights import Guided, fit_guided
from offline.evaluation.query_runner import (
    PATIENCE,
    Answered,
    Questions,
    ask,
    asked_directions,
    is_guided,
)
from offline.evaluation.score_weights import fit_weights, fused, is_told
from semcore.bundle.bundle import read_manifest
from semcore.bundle.calibration import (
    Calibration,
    Calibrations,
    read_calibration,
    write_calibration,
)
from semcore.client import AsyncSemcoreClient
from semcore.kind import Direction

_BEAMS = 50
NEVER = 1e9
"""A margin that no search reaches."""


@dataclass(frozen=True, slots=True)
class Margin:
    """``margin`` in nats; shares of the queries that verification is left out for and changes."""

    margin: float
    left_out: float
    changed: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found out for a direction.

    Attributes:
        margin: None where the weights verify other candidates than the service has verified, so
            that what verification would change is not known. Once it serves with these weights, it
            is.
        guided: with the guide's cosine; None by the model alone.
    """

    direction: Direction
    calibration: Calibration
    margin: Margin | None
    guided: Guided | None = None


async def calibrate(
    url: str,
    bundle: Path,
    *,
    split: str = "val",
    limit: int = 300,
    beam_width: int = 20,
    tolerance: float = 0.01,
    key: str | None = None,
    image_root: str | Path | None = None,
) -> list[Measured]:
    """Choose weights and margins of a bundle by what its running service answers, and write them
    into it.

    The weights make the right candidates the likeliest. Where the first candidate leads the second
    by at least the margin, verification would have changed the first place for at most
    ``tolerance`` of all queries. A direction without queries keeps what it had, unless both are
    without. A service must load the bundle again to use them. Of a bundle with a guide both are
    measured, by the model alone and with the guide, the latter with as many beams as the guide has
    candidates.

    Args:
        key: for a service that has keys for searches.
        image_root: folder of the pictures, or its URL, if not what the bundle says.

    Raises what :func:`offline.evaluation.query_runner.ask` raises.
    """
    has_guide = read_manifest(bundle).guide is not None
    found = []
    async with AsyncSemcoreClient(url, key, timeout=PATIENCE) as client:
        for direction in asked_directions(bundle, split):
            questions = Questions(
                direction, split, limit, beam_width, commonness=True, describe=True
            )
            answered = await ask(client, bundle, questions, image_root=image_root)
            found.append(_measured(direction, answered, fit_weights(answered), tolerance))
            if has_guide:
                guided = replace(questions, guide="auto", beam_width=max(beam_width, _BEAMS))
                answered = await ask(client, bundle, guided, image_root=image_root)
                if not is_guided(answered):
                    continue
                fitted = fit_guided(answered)
                one = _measured(direction, answered, fitted.calibration, tolerance)
                found.append(replace(one, guided=fitted))
    write_calibration(bundle, _with(read_calibration(bundle), found))
    return found


def _measured(
    direction: Direction, answered: Sequence[Answered], weights: Calibration, tolerance: float
) -> Measured:
    if weights.margin is not None or not all(is_told(one, weights) for one in answered):
        return Measured(direction, weights, None)
    margin = choose_margin([fused(one, weights) for one in answered], tolerance)
    return Measured(direction, replace(weights, margin=margin.margin), margin)


def _with(known: Calibrations, found: Sequence[Measured]) -> Calibrations:
    alone, guided = dict(known.alone), dict(known.guided)
    for one in found:
        (alone if one.guided is None else guided)[one.direction] = one.calibration
    return Calibrations(alone, guided)


def choose_margin(answered: Sequence[Answered], tolerance: float) -> Margin:
    """The lowest margin that leaves at most ``tolerance`` of all first places unmended."""
    leads = sorted((one.lead, one.first_changed) for one in answered)
    changed, best, margin = 0, 0, NEVER
    for count, (lead, first_changed) in enumerate(reversed(leads), start=1):
        changed += first_changed
        if changed > tolerance * len(leads):
            break
        below = leads[-count - 1][0] if count < len(leads) else None
        if lead != below:  # else the next one is left out, too
            margin, best = lead, count
    kept = sum(one.first_changed and one.lead >= margin for one in answered)
    return Margin(margin, best / len(leads), kept / len(leads))
