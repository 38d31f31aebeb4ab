"""Evaluation asks the real service, reports what it found, and goes on where it was stopped."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from answering import answering

from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.evaluation.calibration import calibrate
from offline.evaluation.evaluation import ANSWERS_LOG, evaluate, markdown_table
from offline.evaluation.report import write_report
from semcore.bundle.bundle import read_manifest
from semcore.errors import CorpusError


def answer(bundle: Path) -> dict[str, object]:
    """One in which nothing was found."""
    return {
        "index_version": f"{read_manifest(bundle).version}+3", "degraded": None, "illegal": 0,
        "items": [], "traces": [],
    }  # fmt: skip


async def test_measures_and_reports_all_systems(
    service_url: str, trained: Path, tmp_path: Path
) -> None:
    bundle = trained / "bundle"
    found = await evaluate(service_url, bundle, limit=4, beam_width=5, folder=tmp_path)
    systems = ["full", "without GSV", "without constraint"]
    assert [row.system for row in found.rows] == systems * 2
    for row in found.rows:
        assert row.queries == 4
        assert 0 <= row.recall["R@1"].value <= row.recall["R@5"].value <= 100
        if row.system != "without constraint":
            assert row.illegal == 0.0
    for answered in (one for answers in found.answers.values() for one in answers):
        assert (answered.lost_at is None) == (answered.beam is not None)
        assert 0 < answered.confidence <= 1
    lines = markdown_table(found.rows).splitlines()
    assert len(lines) == 2 + len(found.rows)
    assert len({line.count("|") for line in lines}) == 1
    write_report(found, bundle, tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["rows"][0]["recall"]["R@1"]["value"] == found.rows[0].recall["R@1"].value
    report = (tmp_path / "report.md").read_text()
    assert markdown_table(found.rows) in report
    for name in ("survival.png", "reliability.png", "suspects.html"):
        assert (tmp_path / name).stat().st_size > 0
        assert name in report


async def test_asks_only_what_it_does_not_hold(
    service_url: str, trained: Path, tmp_path: Path
) -> None:
    bundle, log = trained / "bundle", tmp_path / ANSWERS_LOG
    first = await evaluate(service_url, bundle, limit=4, beam_width=5, folder=tmp_path)
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:-3], lines[-3][:20]]))
    again = await evaluate(service_url, bundle, limit=4, beam_width=5, folder=tmp_path)
    assert again == first
    # Nothing is asked that is held: without a service, what is complete is still answered.
    held = await evaluate("http://127.0.0.1:9", bundle, limit=4, beam_width=5, folder=tmp_path)
    assert held == first


async def test_says_that_a_split_has_no_queries(service_url: str, trained: Path) -> None:
    with pytest.raises(CorpusError, match="no query of the split 'holiday' has anything to find"):
        await evaluate(service_url, trained / "bundle", split="holiday", limit=4)


async def test_a_report_of_single_items_is_json(
    service_url: str, trained: Path, tmp_path: Path
) -> None:
    bundle = trained / "bundle"
    found = await evaluate(service_url, bundle, limit=2, beam_width=1, folder=tmp_path)
    write_report(found, bundle, tmp_path)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    results = json.loads((tmp_path / "results.json").read_text(), parse_constant=refuse)
    assert results["queries"] == {"text-to-image": 2, "image-to-text": 2}
    for direction, answered in found.answers.items():
        wrong = [one.query for one in answered if one.verified != 1]
        assert [one["query"] for one in results["failures"][direction]] == wrong


async def test_measures_the_direction_that_has_queries(
    trained: Path, corpus: Corpus, tmp_path: Path
) -> None:
    """Of single captions each is what its picture's identifier is made of."""
    single = [replace(picture, captions=picture.captions[:1]) for picture in corpus.pictures]
    bundle = tmp_path / "bundle"
    build_bundle(replace(corpus, pictures=single), bundle, BuildSettings(), trained / "bundle")
    bind_bundle(bundle, trained / "model")
    with answering(lambda _: (200, json.dumps(answer(bundle)).encode())) as url:
        found = await evaluate(url, bundle, limit=2, beam_width=5)
        assert {row.direction for row in found.rows} == {"image-to-text"}
        (measured,) = (await calibrate(url, bundle, limit=2, beam_width=5)).measured
    assert measured.direction == "image-to-text"
