"""Weights are fitted once, of the model alone and with its guide, and kept in a bundle."""

from pathlib import Path

import pytest
from bundles import bundle_of

from offline.evaluation.guided_weights import Guided
from offline.evaluation.query_runner import Answered, Shown
from offline.reproduction import calibration
from offline.reproduction.calibration import calibrated_bundle
from semcore.bundle.bundle import CALIBRATION, check_bundle
from semcore.bundle.calibration import Calibration, Calibrations, read_calibration
from semcore.bundle.item import Item

ITEM = Item("a", "image", "test", "a", False, "a boat", "a.png", "<g0> boat")


def answers(cosine: float | None = None) -> list[Answered]:
    found = Shown("a", -1.0, 0.0, commonness=-1.0, right=True, cosine=cosine)
    return [Answered("q", 1, 1, 1.0, False, 0.0, items=[found])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle_of([ITEM], tmp_path / "bundle")
    return tmp_path


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was fitted, in order; each time to other weights."""
    made: list[str] = []

    def alone(_: object) -> Calibration:
        made.append("alone")
        return Calibration(prior=len(made))

    def guided(_: object) -> Guided:
        made.append("guided")
        return Guided(Calibration(cosine=len(made)))

    monkeypatch.setattr(calibration, "fit_weights", alone)
    monkeypatch.setattr(calibration, "fit_guided", guided)
    return made


def test_each_has_weights_of_its_own(folder: Path, fitted: list[str]) -> None:
    found = calibrated_bundle(
        folder,
        {
            "none": {"text-to-image": answers(), "image-to-text": answers()},
            "auto": {"text-to-image": answers(0.5), "image-to-text": answers()},
        },
    )
    assert found == folder / "calibrated"
    # A guide that has told nothing of pictures has no weight there.
    assert fitted == ["alone", "alone", "guided"]
    assert read_calibration(found) == Calibrations(
        {"text-to-image": Calibration(prior=1), "image-to-text": Calibration(prior=2)},
        {"text-to-image": Calibration(cosine=3)},
    )
    assert check_bundle(found).counts == check_bundle(folder / "bundle").counts
    assert CALIBRATION not in check_bundle(folder / "bundle").files


def test_weights_that_are_there_stay(folder: Path, fitted: list[str]) -> None:
    alone = {"none": {"text-to-image": answers()}}
    first = check_bundle(calibrated_bundle(folder, alone)).version
    assert check_bundle(calibrated_bundle(folder, alone)).version == first
    both = {**alone, "auto": {"text-to-image": answers(0.5)}}
    found = read_calibration(calibrated_bundle(folder, both))
    assert fitted == ["alone", "guided"]
    assert found.alone == {"text-to-image": Calibration(prior=1)}
    assert found.guided == {"text-to-image": Calibration(cosine=2)}


def test_half_a_copy_is_made_anew(folder: Path, fitted: list[str]) -> None:
    (folder / "calibrated").mkdir()
    found = calibrated_bundle(folder, {"none": {"text-to-image": answers()}})
    assert read_calibration(found).alone == {"text-to-image": Calibration(prior=1)}
    assert check_bundle(found)
