"""Building from the command line: a bundle, its report, and --strict."""

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from offline.demo_corpus import write_demo_corpus
from semcore.bundle import check_bundle


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
