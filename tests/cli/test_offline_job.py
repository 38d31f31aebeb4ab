"""Building from the command line: a bundle, its report, and --strict."""

import json
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from offline.demo.demo_corpus import write_demo_corpus
from semcore.bundle.bundle import check_bundle
from semcore.bundle.calibration import (
    Calibration,
    Calibrations,
    read_calibration,
    write_calibration,
)


def test_builds_and_reports_bad_rows(tmp_path: Path) -> None:
    corpus, bundle = tmp_path / "corpus", tmp_path / "bundle"
    write_demo_corpus(corpus, pictures=12)
    with (corpus / "captions.jsonl").open("a") as file:
        file.write(json.dumps({"image": "gone.png", "captions": ["A boat."]}) + "\n")
    command = ["build", str(corpus), str(bundle), "--clusters", "2"]
    strict = CliRunner().invoke(app, [*command, "--strict"])
    assert strict.exit_code == 1
    assert "gone.png" in strict.stderr
    assert not bundle.exists()
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert check_bundle(bundle).counts["images"] == 12
    assert "gone.png" in (bundle / "report.json").read_text()


def test_says_what_it_passes_over(trained: Path, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "b.psd").write_bytes(b"8BPS")
    done = tmp_path / "bundle.captions.jsonl"
    done.write_text(json.dumps({"id": "a.png", "caption": "a boat"}) + "\n")
    command = ["build", str(tmp_path), str(tmp_path / "bundle"), "--captioner", "none"]
    result = CliRunner().invoke(app, [*command, "--clusters", "1"])
    assert result.exit_code == 0, result.output
    assert "1 with the suffix .psd, such as b.psd" in result.output
    report = json.loads((tmp_path / "bundle" / "report.json").read_text())
    assert any("b.psd" in told for told in report["passed_over"])


def test_a_bundle_like_another_is_made_as_that_one(trained: Path, tmp_path: Path) -> None:
    corpus, first, second = tmp_path / "corpus", tmp_path / "first", tmp_path / "second"
    write_demo_corpus(corpus, pictures=12)
    command = ["build", str(corpus), str(first), "--source-captions", "1"]
    result = CliRunner().invoke(app, [*command, "--like", str(trained / "bundle")])
    assert result.exit_code == 0, result.output
    assert check_bundle(first).model is not None
    assert read_calibration(first) == Calibrations()
    write_calibration(first, Calibrations({"text-to-image": Calibration(0.25, 0.5)}))
    command = ["build", str(corpus), str(second), "--gallery", "test"]
    result = CliRunner().invoke(app, [*command, "--like", str(first)])
    assert result.exit_code == 0, result.output
    assert check_bundle(second).corpus.source_captions == 1
    assert read_calibration(second) == read_calibration(first) != Calibrations()
    result = CliRunner().invoke(app, [*command[:-1], "tset"])
    assert result.exit_code == 1
    assert "no picture is of the split tset; there are test, train, val" in result.stderr
