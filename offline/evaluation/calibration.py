"""How candidates are judged, when that may be left out, and how likely they are to be right:
measured on validation queries, kept in the bundle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from offline.evaluation.guided_weights import Guided, fit_guided
from offline.evaluation.probability import answered_cases, fit_probability, guide_cases
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
from semcore.bundle.probability import Probability
from semcore.client import AsyncSemcoreClient
from semcore.errors import BundleError
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


@dataclass(frozen=True, slots=True)
class Probable:
    """How likely items are to be right.

    Attributes:
        guided: by the guide's cosine; else by the score of the model alone.
        probability: None where the validation queries do not tell.
    """

    direction: Direction
    guided: bool
    probability: Probability | None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Attributes:
    measured: by asking the service; none of a bundle without a model.
    probable: of each direction, by the model alone and by the guide.
    """

    measured: list[Measured]
    probable: list[Probable]


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
) -> Calibrated:
    """Choose weights, margins and probabilities of a bundle by what its running service answers,
    and write them into it.

    The weights make the right candidates the likeliest. Where the first candidate leads the second
    by at least the margin, verification would have changed the first place for at most
    ``tolerance`` of all queries. A direction without queries keeps what it had, unless both are
    without. A service must load the bundle again to use them. Of a bundle with a guide both are
    measured, by the model alone and with the guide, the latter with as many beams as the guide has
    candidates. The probabilities by the guide's cosine need no service, and are all that is
    measured of a bundle without a model.

    Args:
        key: for a service that has keys for searches.
        image_root: folder of the pictures, or its URL, if not what the bundle says.

    Raises :class:`BundleError` if the bundle has neither a model nor a guide, and what
    :func:`offline.evaluation.query_runner.ask` and
    :func:`offline.evaluation.probability.guide_cases` raise.
    """
    manifest = read_manifest(bundle)
    has_guide = manifest.guide is not None
    if manifest.model is None and not has_guide:
        raise BundleError(f"{bundle} has neither a model nor a guide; train a model on it")
    found: list[Measured] = []
    probable: list[Probable] = []
    async with AsyncSemcoreClient(url, key, timeout=PATIENCE) as client:
        for direction in asked_directions(bundle, split):
            questions = Questions(
                direction, split, limit, beam_width, commonness=True, describe=True
            )
            if manifest.model is not None:
                answered = await ask(client, bundle, questions, image_root=image_root)
                weights = fit_weights(answered)
                found.append(_measured(direction, answered, weights, tolerance))
                told = fit_probability(answered_cases(answered, weights))
                probable.append(Probable(direction, False, told))
            if not has_guide:
                continue
            cases = await asyncio.to_thread(guide_cases, bundle, questions, image_root)
            probable.append(Probable(direction, True, fit_probability(cases)))
            if manifest.model is not None:
                guided = replace(questions, guide="auto", beam_width=max(beam_width, _BEAMS))
                answered = await ask(client, bundle, guided, image_root=image_root)
                if not is_guided(answered):
                    continue
                fitted = fit_guided(answered)
                one = _measured(direction, answered, fitted.calibration, tolerance)
                found.append(replace(one, guided=fitted))
    write_calibration(bundle, _with(read_calibration(bundle), found, probable))
    return Calibrated(found, probable)


def _measured(
    direction: Direction, answered: Sequence[Answered], weights: Calibration, tolerance: float
) -> Measured:
    if weights.margin is not None or not all(is_told(one, weights) for one in answered):
        return Measured(direction, weights, None)
    margin = choose_margin([fused(one, weights) for one in answered], tolerance)
    return Measured(direction, replace(weights, margin=margin.margin), margin)


def _with(
    known: Calibrations, found: Sequence[Measured], probable: Sequence[Probable]
) -> Calibrations:
    alone, guided = dict(known.alone), dict(known.guided)
    for one in found:
        (alone if one.guided is None else guided)[one.direction] = one.calibration
    by_score, by_cosine = dict(known.probable_alone), dict(known.probable_guided)
    for told in probable:
        kept = by_cosine if told.guided else by_score
        kept.pop(told.direction, None)  # what was measured with other weights
        if told.probability is not None:
            kept[told.direction] = told.probability
    return Calibrations(alone, guided, by_score, by_cosine)


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
