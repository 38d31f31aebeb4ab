"""Candidates are judged by the weights that a bundle carries, or by the usual ones."""

import json
from pathlib import Path

import pytest
from bundles import bundle_of

from semcore.bundle.bundle import CALIBRATION, ITEMS, check_bundle
from semcore.bundle.calibration import (
    GUIDED,
    Calibration,
    Calibrations,
    read_calibration,
    write_calibration,
)
from semcore.bundle.probability import Probability
from semcore.errors import BundleError

FOUND = Calibration(0.25, 2.0, 0.5, 0.75, margin=3.5)


def test_what_is_common_without_a_query_counts_less() -> None:
    assert FOUND.surplus(-4.0, -2.0) == -4.0 + 0.75 * 2.0
    assert FOUND.surplus(-4.0, None) == -4.0
    assert Calibration().surplus(-4.0, -2.0) == -4.0


def test_commonness_is_asked_where_it_changes_a_score() -> None:
    assert FOUND.asks_commonness
    assert not Calibration().asks_commonness
    assert not Calibration(commonness=0.5, likelihood=0.0, cosine=20.0).asks_commonness


def test_without_a_guide_the_score_is_the_surplus() -> None:
    assert FOUND.score(-4.0) == FOUND.score(-4.0, None) == -4.0
    assert Calibration(likelihood=0.5, cosine=10.0).score(-4.0, 0.75) == -2.0 + 7.5


def test_the_defaults_are_others_with_a_guide() -> None:
    found = Calibrations({"text-to-image": FOUND}, {"image-to-text": FOUND})
    assert found.of("text-to-image") == found.of("image-to-text", guided=True) == FOUND
    assert found.of("image-to-text") == Calibration()
    assert found.of("text-to-image", guided=True) == GUIDED
    assert GUIDED.cosine > 0


def test_verified_candidates_are_ranked_by_all_that_was_asked() -> None:
    assert FOUND.weighed(-4.0, 3.0, 5.0) == 0.25 * -4.0 + 2.0 * 3.0 + 0.5 * 5.0
    assert FOUND.weighed(-4.0, 3.0, None) == 0.25 * -4.0 + 2.0 * 3.0
    assert FOUND.weighed(-4.0, None, 5.0) == 0.25 * -4.0 + 0.5 * 5.0
    assert Calibration().weighed(-4.0, 3.0, 5.0) == -2.0 + 3.0


def test_a_bundle_is_replaced_by_one_that_holds_them(tmp_path: Path) -> None:
    bundle = bundle_of([], tmp_path / "bundle")
    before = check_bundle(bundle)
    assert read_calibration(bundle) == Calibrations()
    write_calibration(bundle, Calibrations({"text-to-image": FOUND}))
    assert read_calibration(bundle) == Calibrations({"text-to-image": FOUND})
    first = check_bundle(bundle)
    assert first.files.keys() == {ITEMS, CALIBRATION}
    assert first.files[ITEMS] == before.files[ITEMS]
    assert first.version != before.version
    both = Calibrations({"image-to-text": Calibration()}, {"image-to-text": FOUND})
    write_calibration(bundle, both)
    assert read_calibration(bundle) == both
    assert check_bundle(bundle).version != first.version
    assert list(tmp_path.iterdir()) == [bundle]


def test_probabilities_are_kept_beside_the_weights(tmp_path: Path) -> None:
    bundle = bundle_of([], tmp_path / "bundle")
    told = Calibrations(
        {"text-to-image": FOUND},
        probable_alone={"text-to-image": Probability(-3.0, 0.5, 0.25)},
        probable_guided={"text-to-image": Probability(-9.0, 12.0, 4.0)},
    )
    write_calibration(bundle, told)
    assert read_calibration(bundle) == told
    assert told.probability("text-to-image", guided=True) == Probability(-9.0, 12.0, 4.0)
    assert told.probability("text-to-image", guided=False) == Probability(-3.0, 0.5, 0.25)
    assert told.probability("image-to-text", guided=True) is None


def test_a_calibration_of_before_has_no_probabilities(tmp_path: Path) -> None:
    bundle = bundle_of([], tmp_path / "bundle")
    both = Calibrations({"text-to-image": FOUND}, {"text-to-image": GUIDED})
    write_calibration(bundle, both)
    rows = json.loads((bundle / CALIBRATION).read_text())
    assert rows.keys() == {"text-to-image", "guided"}
    assert read_calibration(bundle) == both
    assert both.probability("text-to-image", guided=True) is None


def test_a_damaged_bundle_is_not_replaced(tmp_path: Path) -> None:
    bundle = bundle_of([], tmp_path / "bundle")
    (bundle / ITEMS).write_bytes(b"other")
    with pytest.raises(BundleError, match=ITEMS):
        write_calibration(bundle, Calibrations())
    assert (bundle / ITEMS).read_bytes() == b"other"
    with pytest.raises(BundleError, match="is no bundle"):
        write_calibration(tmp_path / "none", Calibrations())
