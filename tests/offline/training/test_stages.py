"""Training reaches a model that serves; what is stopped goes on."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from moment import MOMENT

from offline.bundle.binding import bind_bundle
from offline.model.backbone import load_model, save_model
from offline.stored_items import training_items
from offline.training.stages import train_model
from semcore.bundle.bundle import check_bundle
from semcore.bundle.item import Item
from semcore.errors import ModelError
from semcore.model.adapter import ADAPTER, adapter_of

STAGE_1 = replace(
    MOMENT, align_epochs=0.0, check_epochs=0.0, check_rehearsal=0.0, epochs=0.2, gsv_queries=0
)


def test_leaves_a_model_and_a_log(trained: Path) -> None:
    manifest = check_bundle(trained / "bundle")
    assert manifest.model is not None
    log = [json.loads(line) for line in (trained / "model/losses.jsonl").read_text().splitlines()]
    assert {entry["stage"] for entry in log} == {"checked", "stage1", "stage2"}
    assert not (trained / "model.work").exists()


@pytest.mark.slow
@pytest.mark.parametrize("lora_rank", [0, 2])
def test_what_compares_stays_through_both_stages(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lora_rank: int
) -> None:
    kept: dict[str, torch.Tensor] = {}

    def start(_: object, source: Path, to: Path) -> None:
        model, processor = load_model(source)
        kept.update(model.named_parameters())
        save_model(model, processor, to)

    monkeypatch.setattr("offline.training.stages._Run._check", start)
    settings = replace(MOMENT, align_epochs=0.0, epochs=0.2, gsv_queries=4, lora_rank=lora_rank)
    train_model(trained / "bundle", "tiny", tmp_path / "m", settings, report=lambda _: None)
    after, _ = load_model(tmp_path / "m")
    same = {name for name, value in after.named_parameters() if torch.equal(value, kept[name])}
    compares = ("vision_tower", "multi_modal_projector", "language_model.layers.0.self_attn")
    compare = {name for name in kept if any(part in name for part in compares)}
    assert same >= compare
    assert not [name for name in same - compare if name.endswith("q_proj.weight")]
    if not lora_rank:
        assert same == compare


def test_without_a_second_stage_nothing_is_held_out_for_it(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def stop(items: Sequence[Item], *_: object) -> None:
        given.append(len(items))
        raise KeyboardInterrupt

    monkeypatch.setattr("offline.training.data_mix.spelling", stop)
    base, bundle = str(trained / "model"), trained / "bundle"
    assert STAGE_1.gsv_held_out > 0
    for name, queries in (("one", 0), ("two", 4)):
        settings = replace(STAGE_1, gsv_queries=queries)
        with pytest.raises(KeyboardInterrupt):
            train_model(bundle, base, tmp_path / name, settings, report=lambda _: None)
    assert given[0] == len(training_items(bundle)) > given[1]


def test_stage_1_learns(trained: Path) -> None:
    log = [json.loads(line) for line in (trained / "model/losses.jsonl").read_text().splitlines()]
    losses = [float(e["loss"]) for e in log if e["stage"] == "stage1" and "loss" in e]
    assert losses[-1] < losses[0]


def test_goes_on_after_an_interruption(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("offline.training.stages._Run._identifiers", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_model(trained / "bundle", "tiny", tmp_path / "m", STAGE_1, report=said.append)
    assert said == ["training: base", "training: tokens", "training: stage1"]
    other = replace(STAGE_1, seed=1)
    with pytest.raises(ModelError, match="begun with another bundle, base, settings"):
        train_model(trained / "bundle", "tiny", tmp_path / "m", other, report=said.append)
    train_model(trained / "bundle", "tiny", tmp_path / "m", STAGE_1, report=said.append)
    assert said[3:] == ["training: stage1"]
    assert (tmp_path / "m" / "model.safetensors").exists()


def test_what_is_trained_is_not_trained_again(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Binding may fail after a training of days."""
    shutil.copytree(trained / "bundle", tmp_path / "bundle")
    base, bundle = str(trained / "model"), tmp_path / "bundle"
    train_model(bundle, base, tmp_path / "m", STAGE_1, report=lambda _: None)

    def again(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("offline.training.stages.fit", again)
    (tmp_path / "m.work").mkdir()  # of a run that was stopped as it took its work away
    said: list[str] = []
    train_model(bundle, base, tmp_path / "m", STAGE_1, report=said.append)
    assert said == [f"training: {tmp_path / 'm'} is what would come of it"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "m"]
    bind_bundle(bundle, tmp_path / "m")  # after which it is asked for on purpose
    with pytest.raises(KeyboardInterrupt):
        train_model(bundle, base, tmp_path / "m", STAGE_1, report=lambda _: None)


def test_adapters_end_merged_in_an_ordinary_model(trained: Path, tmp_path: Path) -> None:
    settings = replace(STAGE_1, lora_rank=4)
    base = str(trained / "model")
    train_model(trained / "bundle", base, tmp_path / "m", settings, report=lambda _: None)
    before, _ = load_model(base)
    after, _ = load_model(tmp_path / "m")
    changed = {
        name
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert any("q_proj" in name for name in changed)
    assert not any("vision_tower" in name for name in changed)


def test_goes_on_where_the_last_copy_was_interrupted(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    copied = shutil.copytree

    def interrupted(source: Path, to: Path) -> Path:
        copied(source, to)
        (to / "config.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_model(trained / "bundle", "tiny", tmp_path / "m", STAGE_1, report=said.append)
    assert not (tmp_path / "m").exists()
    done = len(said)
    train_model(trained / "bundle", "tiny", tmp_path / "m", STAGE_1, report=said.append)
    assert len(said) == done
    load_model(tmp_path / "m")


def test_an_adapter_of_an_earlier_stage_goes_on(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stage 1 begins with what the descriptions have taught."""
    begun: dict[str, bytes] = {}

    def start(_: object, source: Path, to: Path) -> None:
        adapter = adapter_of(source)
        assert adapter is not None
        begun.update({file.name: file.read_bytes() for file in adapter.iterdir()})
        described = source.with_name("described") / ADAPTER
        assert begun == {file.name: file.read_bytes() for file in described.iterdir()}
        shutil.copytree(source, to)

    monkeypatch.setattr("offline.training.stages._Run._identifiers", start)
    settings = replace(STAGE_1, lora_rank=4, merge_adapter=False, describe_epochs=0.2)
    base = str(trained / "model")
    train_model(trained / "bundle", base, tmp_path / "m", settings, report=lambda _: None)
    assert begun


def test_names_a_base_that_is_none(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no InternVL checkpoint"):
        train_model(trained / "bundle", str(tmp_path), tmp_path / "m", MOMENT, report=print)


def test_what_is_no_model_is_not_replaced(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ModelError, match="is no model, and would be lost"):
        train_model(trained / "bundle", "tiny", tmp_path, STAGE_1, report=lambda _: None)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
