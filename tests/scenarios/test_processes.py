"""Several processes train one model, as ``accelerate launch`` starts them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from offline.model.backbone import load_model
from semcore.bundle.bundle import check_bundle

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = sorted((ROOT / "deploy/training").glob("*.yaml"))


def test_configurations_divide_what_their_names_say() -> None:
    assert CONFIGURATIONS
    for file in CONFIGURATIONS:
        settings = yaml.safe_load(file.read_text())
        assert settings["num_processes"] > 1
        stage = settings.get("deepspeed_config", {}).get("zero_stage")
        assert (stage is not None) == file.stem.startswith("zero")
        assert stage is None or file.stem == f"zero{stage}"


@pytest.mark.slow
def test_two_processes_train_on_a_cpu(trained: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for file in (trained / "bundle").iterdir():
        (bundle / file.name).write_bytes(file.read_bytes())
    command = [
        *(sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"),
        *("--config_file", str(ROOT / "deploy/training/two-processes.yaml")),
        *("-m", "cli", "train", str(bundle), str(tmp_path / "model")),
        *("--base", str(trained / "model"), "--epochs", "0.2", "--batch-size", "8"),
        *("--gsv-queries", "0", "--learning-rate", "0.001"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("is trained") == 1
    before, _ = load_model(trained / "model")
    after, _ = load_model(tmp_path / "model")
    assert any(
        not old.equal(new) for old, new in zip(before.parameters(), after.parameters(), strict=True)
    )
    manifest = check_bundle(bundle)
    assert manifest.model is not None
    assert manifest.model.folder(bundle) == tmp_path / "model"
