"""What a bundle knows of its model's judgement, measured on validation queries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from semcore.bundle.bundle import CALIBRATION, check_bundle, read_manifest, staged
from semcore.bundle.probability import Probability
from semcore.bundle.stage import carry
from semcore.kind import Direction

_GUIDED = "guided"
_PROBABILITY, _ALONE = "probability", "alone"


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the candidates of a direction are judged.

    Attributes:
        prior: weight of an identifier's log-probability. A product over many tokens is surer than
            it should be, hence less than one.
        evidence: weight of the log-odds that the candidate matches, as the model answers when it is
            asked; where it is 0 and ``description`` is not, it is not asked.
        description: weight of how much the picture makes the text likelier, as the model describes
            pictures; where it is 0 that is not asked.
        commonness: weight of the identifier's log-probability without a query, which is subtracted
            from that after the query; where it is 0 the model is not asked for it.
        margin: by how much the score of the first candidate must lead for verification to be left
            out; None as long as that has not been measured.
        likelihood: weight of the log-probability, less its commonness, in the score.
        cosine: weight of the guide's cosine in the score.
    """

    prior: float = 0.5
    evidence: float = 1.0
    description: float = 0.0
    commonness: float = 0.0
    margin: float | None = None
    likelihood: float = 1.0
    cosine: float = 0.0

    @property
    def asks_commonness(self) -> bool:
        """Whether commonness changes any score."""
        return self.commonness > 0 and self.likelihood > 0

    def surplus(self, logprob: float, commonness: float | None) -> float:
        """By how much a query makes an identifier likelier than it is anyhow, as far as that is
        subtracted, in nats.

        Args:
            logprob: of the identifier after the query, in nats.
            commonness: that without a query; None where it is not known.
        """
        return logprob - self.commonness * (commonness or 0.0)

    def score(self, surplus: float, cosine: float | None = None) -> float:
        """What candidates are ranked by before they are verified.

        Args:
            surplus: see :meth:`surplus`.
            cosine: between the guide's vectors of query and item; None where there are none.
        """
        return self.likelihood * surplus + self.cosine * (cosine or 0.0)

    def scores(
        self, surplus: Sequence[float | None], cosines: Sequence[float | None]
    ) -> list[float]:
        """The scores of all candidates of a search.

        Args:
            surplus: None of an item that the guide alone has found; it counts as the least of the
                others.
        """
        last = min((one for one in surplus if one is not None), default=0.0)
        return [
            self.score(last if one is None else one, cosine)
            for one, cosine in zip(surplus, cosines, strict=True)
        ]

    def weighed(self, score: float, odds: float | None, description: float | None) -> float:
        """What verified candidates are ranked by.

        Args:
            score: that before verification.
            odds, description: the evidence, in nats; None where it was not asked.
        """
        return (
            self.prior * score
            + self.evidence * (odds or 0.0)
            + self.description * (description or 0.0)
        )


_Kind = TypeVar("_Kind", Calibration, Probability)

GUIDED = Calibration(prior=1.0, evidence=0.5, likelihood=0.1, cosine=50.0)
"""Where a guide's cosine is known and nothing was measured."""


@dataclass(frozen=True, slots=True)
class Calibrations:
    """Of each direction, by the model alone and with the guide's cosine; the defaults where nothing
    was measured.

    Attributes:
        probable_alone: that an item is right, by its score without the guide.
        probable_guided: the same by the guide's cosine.
    """

    alone: Mapping[Direction, Calibration] = field(default_factory=dict)
    guided: Mapping[Direction, Calibration] = field(default_factory=dict)
    probable_alone: Mapping[Direction, Probability] = field(default_factory=dict)
    probable_guided: Mapping[Direction, Probability] = field(default_factory=dict)

    def of(self, direction: Direction, *, guided: bool = False) -> Calibration:
        if guided:
            return self.guided.get(direction, GUIDED)
        return self.alone.get(direction, Calibration())

    def probability(self, direction: Direction, *, guided: bool) -> Probability | None:
        """None where it was not measured."""
        return (self.probable_guided if guided else self.probable_alone).get(direction)


def write_calibration(bundle: Path, found: Calibrations) -> None:
    """Replace the bundle by one that holds these.

    Raises :class:`semcore.errors.BundleError` if the bundle is missing or damaged.
    """
    manifest = check_bundle(bundle)
    with staged(bundle, manifest) as stage:
        for name in manifest.files.keys() - {CALIBRATION}:
            carry(bundle / name, stage / name)
        rows = _rows(found.alone)
        if found.guided:
            rows[_GUIDED] = _rows(found.guided)
        probable = {_ALONE: found.probable_alone, _GUIDED: found.probable_guided}
        if any(probable.values()):
            rows[_PROBABILITY] = {by: _rows(told) for by, told in probable.items()}
        (stage / CALIBRATION).write_text(json.dumps(rows))


def read_calibration(bundle: Path) -> Calibrations:
    """Nothing for a bundle that was not calibrated."""
    if CALIBRATION not in read_manifest(bundle).files:
        return Calibrations()
    rows = json.loads((bundle / CALIBRATION).read_text())
    guided = rows.pop(_GUIDED, {})
    probable = rows.pop(_PROBABILITY, {})  # which earlier versions have not measured
    return Calibrations(
        _read(rows, Calibration),
        _read(guided, Calibration),
        _read(probable.get(_ALONE, {}), Probability),
        _read(probable.get(_GUIDED, {}), Probability),
    )


def _rows(found: Mapping[Direction, _Kind]) -> dict[str, Any]:
    return {name: asdict(one) for name, one in found.items()}


def _read(rows: Mapping[Direction, Mapping[str, Any]], kind: type[_Kind]) -> dict[Direction, _Kind]:
    return {direction: kind(**one) for direction, one in rows.items()}
