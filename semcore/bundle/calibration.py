"""What a bundle knows of its model's judgement, measured on validation queries."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from semcore.bundle.bundle import CALIBRATION, check_bundle, read_manifest, staged
from semcore.kind import Direction


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
        margin: by how many nats the first candidate must lead for verification to be left out;
            None as long as that has not been measured.
    """

    prior: float = 0.5
    evidence: float = 1.0
    description: float = 0.0
    commonness: float = 0.0
    margin: float | None = None

    def score(self, logprob: float, commonness: float | None) -> float:
        """What candidates are ranked by before they are verified.

        Args:
            logprob: of the identifier after the query, in nats.
            commonness: that without a query; None where it is not known.
        """
        return logprob - self.commonness * (commonness or 0.0)

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


def write_calibration(bundle: Path, found: Mapping[Direction, Calibration]) -> None:
    """Replace the bundle by one that holds these.

    Raises :class:`semcore.errors.BundleError` if the bundle is missing or damaged.
    """
    manifest = check_bundle(bundle)
    with staged(bundle, manifest) as stage:
        for name in manifest.files:
            shutil.copy2(bundle / name, stage / name)
        rows = {direction: asdict(one) for direction, one in found.items()}
        (stage / CALIBRATION).write_text(json.dumps(rows))


def read_calibration(bundle: Path) -> dict[Direction, Calibration]:
    """Of each direction; nothing for a bundle that was not calibrated."""
    if CALIBRATION not in read_manifest(bundle).files:
        return {}
    rows = json.loads((bundle / CALIBRATION).read_text())
    return {direction: Calibration(**one) for direction, one in rows.items()}
