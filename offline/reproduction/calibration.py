"""The bundle of a system with weights that were fitted on validation queries."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from offline.evaluation.guided_weights import fit_guided
from offline.evaluation.query_runner import Answered, Guide, is_guided
from offline.evaluation.score_weights import fit_weights
from semcore.bundle.bundle import CALIBRATION
from semcore.bundle.calibration import read_calibration, write_calibration
from semcore.kind import Direction

CALIBRATED = "calibrated"
Validation = Mapping[Guide, Mapping[Direction, Sequence[Answered]]]
"""What was answered to validation queries, with commonness and descriptions, by what the guide was
good for and by direction."""


def calibrated_bundle(folder: Path, known: Validation) -> Path:
    """The bundle ``folder / "calibrated"``, a copy of ``folder / "bundle"`` with weights of its
    own. Weights that it has already stay as they are.

    Args:
        known: answers without the guide give the weights of the model alone, answers with it those
            of both, unless it has told nothing.

    Raises :class:`semcore.errors.BundleError` if a bundle is missing or damaged.
    """
    calibrated = folder / CALIBRATED
    if not (calibrated / CALIBRATION).exists():
        shutil.rmtree(calibrated, ignore_errors=True)
        shutil.copytree(folder / "bundle", calibrated)
    before = read_calibration(calibrated)
    alone = {
        direction: fit_weights(answered)
        for direction, answered in known.get("none", {}).items()
        if direction not in before.alone
    }
    guided = {
        direction: fit_guided(answered).calibration
        for direction, answered in known.get("auto", {}).items()
        if direction not in before.guided and is_guided(answered)
    }
    if alone or guided:
        found = replace(before, alone={**before.alone, **alone}, guided={**before.guided, **guided})
        write_calibration(calibrated, found)
    return calibrated
