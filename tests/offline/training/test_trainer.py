"""A run that was stopped ends where one that was not would have."""

import json
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import TrainerCallback

from offline.corpus.corpus import Corpus
from offline.image_inputs import Pixels
from offline.model.backbone import load_model
from offline.training import trainer as fitting
from offline.training.pairs import PairDataset
from offline.training.sampler import BlockSampler
from offline.training.trainer import FitSettings, fit
from semcore.bundle.item import Item

SETTINGS = FitSettings(
    epochs=1.5, batch_size=16, learning_rate=1e-3, warmup_steps=2, lora_rank=0, seed=0,
    save_steps=6,
)  # fmt: skip
STOPPED = 9


class Stop(TrainerCallback):
    def on_step_end(self, _args: object, state: object, _control: object, **_: object) -> None:
        if state.global_step == STOPPED:  # type: ignore[attr-defined]
            raise KeyboardInterrupt


def fitted(base: Path, items: list[Item], root: Path, to: Path) -> dict[str, Tensor]:
    model, processor = load_model(base)
    data = PairDataset(items, root, 1, seed=0)
    sampler = BlockSampler(data.sizes, (0.5, 0.5), SETTINGS.batch_size, SETTINGS.seed)
    seen = fit(model, processor, Pixels(processor), data, sampler, SETTINGS, to)
    assert seen >= STOPPED * SETTINGS.batch_size
    return dict(load_model(to)[0].named_parameters())


def test_goes_on_exactly(
    trained: Path,
    training_items: list[Item],
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    capfd.readouterr()
    expected = fitted(trained / "model", training_items, corpus.image_root, tmp_path / "whole")
    printed, said = capfd.readouterr()
    assert printed == ""
    told = re.fullmatch(r"training whole: begins\ntraining whole: (\d+) in \d+\.\d s\n", said)
    assert told is not None, said
    assert int(told[1]) > STOPPED
    log = fitting._LossLog
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "_LossLog", lambda path: Stop())
        with pytest.raises(KeyboardInterrupt):
            fitted(trained / "model", training_items, corpus.image_root, tmp_path / "halves")
    assert fitting._LossLog is log
    assert (tmp_path / "halves.checkpoints").is_dir()
    found = fitted(trained / "model", training_items, corpus.image_root, tmp_path / "halves")
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4)
    assert not (tmp_path / "halves.checkpoints").exists()


def test_goes_on_from_the_last_whole_checkpoint(
    trained: Path, training_items: list[Item], corpus: Corpus, tmp_path: Path
) -> None:
    """A run may be killed while it writes one; what it logged after that is logged anew."""
    unfinished = tmp_path / "model.checkpoints/checkpoint-7"
    unfinished.mkdir(parents=True)
    (unfinished / "config.json").write_text("{}")
    log = tmp_path / f"model.{fitting.LOSS_LOG}"
    log.write_text(json.dumps({"stage": "model", "step": 10, "loss": 99.0}) + '\n{"stage": "mo')
    fitted(trained / "model", training_items, corpus.image_root, tmp_path / "model")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["step"] for entry in entries] == sorted({entry["step"] for entry in entries})
    assert 99.0 not in [entry.get("loss") for entry in entries]
