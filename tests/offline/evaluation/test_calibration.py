"""Margins leave out what verification would not have changed, and reach the service."""

import shutil
from pathlib import Path

import httpx
import pytest
from moment import SERVICE

from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.evaluation.calibration import NEVER, Probable, calibrate, choose_margin
from offline.evaluation.evaluation import evaluate
from offline.evaluation.query_runner import Answered, Shown
from semcore.bundle.bundle import check_bundle
from semcore.bundle.calibration import (
    Calibration,
    Calibrations,
    read_calibration,
    write_calibration,
)
from semcore.errors import BundleError, SemcoreError
from service.index.index import Index


def answered(leads: list[tuple[float, bool]]) -> list[Answered]:
    return [Answered("q", 1, 1, lead, changed, 0.0) for lead, changed in leads]


def test_the_lowest_margin_within_the_tolerance() -> None:
    found = answered([(5, False), (4, False), (3, True), (2, False), (2, True), (1, True)] * 10)
    strict = choose_margin(found, 0.0)
    assert (strict.margin, strict.left_out, strict.changed) == (4, pytest.approx(1 / 3), 0.0)
    loose = choose_margin(found, 0.2)
    assert loose.margin == 3
    assert loose.changed == pytest.approx(1 / 6)
    # Of equal leads all are left out or none.
    half = choose_margin(answered([(2, False), (2, True)]), 0.0)
    assert (half.margin, half.left_out) == (NEVER, 0.0)
    assert choose_margin(answered([(2, False)] * 3), 0.0).left_out == 1.0


async def test_what_was_not_verified_tells_no_margin(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a direction that has no queries keeps what it had."""
    bundle = trained / "half told"
    shutil.copytree(trained / "bundle", bundle)
    told = Calibration(commonness=0.5, margin=3.0)
    write_calibration(bundle, Calibrations({"text-to-image": told}))

    async def asked(*_: object, **__: object) -> list[Answered]:
        common = Shown("b", -2.0, None, commonness=-9.0)
        first = Shown("a", -1.0, 0.0, commonness=-1.0, right=True)
        return [Answered("q", 1, 1, 1.0, False, 0.0, items=[first, common])] * 3

    weights = Calibration(commonness=1.0)
    monkeypatch.setattr("offline.evaluation.calibration.ask", asked)
    monkeypatch.setattr("offline.evaluation.calibration.fit_weights", lambda _: weights)
    monkeypatch.setattr(
        "offline.evaluation.calibration.asked_directions", lambda *_: ["image-to-text"]
    )
    (found,) = (await calibrate("http://127.0.0.1:9", bundle)).measured
    assert (found.margin, found.calibration) == (None, weights)
    both = {"text-to-image": told, "image-to-text": weights}
    assert read_calibration(bundle) == Calibrations(both)
    shutil.rmtree(bundle)


async def test_a_bundle_keeps_its_calibration(
    service_url: str, trained: Path, tmp_path: Path
) -> None:
    # Beside the model, since a bundle names it by a relative path.
    bundle = trained / "calibrated"
    shutil.copytree(trained / "bundle", bundle)
    before = check_bundle(bundle).version
    assert read_calibration(bundle) == Calibrations()
    found = await calibrate(service_url, bundle, limit=5, beam_width=5, tolerance=1.0)
    assert {one.margin and one.margin.left_out for one in found.measured} == {1.0}
    measured = {one.direction: one.calibration for one in found.measured}
    assert read_calibration(bundle) == Calibrations(measured)
    assert [one.probability for one in found.probable] == [None, None]  # of so few queries
    assert check_bundle(bundle).version != before
    index = Index(bundle)
    assert index.bundle.calibration == read_calibration(bundle)
    index.close()
    with pytest.raises(SemcoreError, match="reload it"):
        await evaluate(service_url, bundle, limit=5, beam_width=5)
    administrator = {"X-API-Key": SERVICE["SEMCORE_ADMIN_KEY"]}
    async with httpx.AsyncClient(base_url=service_url, headers=administrator, timeout=600) as admin:
        told = await admin.post("/admin/index/reload", json={"bundle": str(bundle)})
        assert told.status_code == httpx.codes.OK, told.text
        found_now = await evaluate(service_url, bundle, limit=5, beam_width=5)
        (await admin.post("/admin/index/rollback")).raise_for_status()
    auto = [row for row in found_now.rows if row.system == "auto"]
    assert len(auto) == 2
    assert all(0.0 <= row.verified < 1.0 for row in auto)
    shutil.rmtree(bundle)


async def test_a_bundle_without_a_model_learns_how_likely_items_are(
    untrained: Path, tmp_path: Path
) -> None:
    """Without a service; a guide that reads texts only says nothing of pictures."""
    bundle = tmp_path / "untrained"
    shutil.copytree(untrained, bundle)
    found = await calibrate("http://127.0.0.1:9", bundle)
    assert found.measured == []
    probable, unseen = found.probable
    assert (probable.direction, probable.guided) == ("text-to-image", True)
    assert probable.probability is not None
    assert unseen == Probable("image-to-text", guided=True, probability=None)
    told = read_calibration(bundle)
    assert told == Calibrations(probable_guided={"text-to-image": probable.probability})
    # Measured once more with too few queries, what was known goes.
    await calibrate("http://127.0.0.1:9", bundle, limit=5)
    assert read_calibration(bundle) == Calibrations()


async def test_neither_a_model_nor_a_guide(corpus: Corpus, tmp_path: Path) -> None:
    build_bundle(corpus, tmp_path / "bundle", BuildSettings(clusters=8), guide=None)
    with pytest.raises(BundleError, match="neither a model nor a guide"):
        await calibrate("http://127.0.0.1:9", tmp_path / "bundle")
