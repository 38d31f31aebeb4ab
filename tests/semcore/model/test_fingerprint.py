"""Which model lies in a folder is known, also where sizes and headers are those of another."""

import json
import logging
import os
import shutil
from pathlib import Path

import pytest
from models import another_model

from semcore.errors import ModelError
from semcore.model import fingerprint
from semcore.model.fingerprint import (
    NOTE,
    check_model,
    is_model,
    model_fingerprint,
    model_sample,
    note_fingerprint,
)

BUNDLE = Path("bundle")


def copy_without_times(model: Path, to: Path) -> Path:
    shutil.copytree(model, to, copy_function=shutil.copyfile)
    return to


def nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: Path) -> str:
        raise AssertionError("it needs no reading")

    for name in ("model_fingerprint", "model_sample"):
        monkeypatch.setattr(fingerprint, name, read)


def test_changes_with_the_weights_and_the_tokenizer(tmp_path: Path) -> None:
    seen = {model_fingerprint(tmp_path)}
    for name in ("model.safetensors", "tokenizer.json", "adapter/adapter.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"one")
        seen.add(model_fingerprint(tmp_path))
        (tmp_path / name).write_bytes(b"two")
        seen.add(model_fingerprint(tmp_path))
    assert len(seen) == 7
    last = model_fingerprint(tmp_path)
    (tmp_path / "training.json").write_text("no part of the model")
    assert model_fingerprint(tmp_path) == last


def test_two_trainings_of_one_architecture(trained: Path, tmp_path: Path) -> None:
    model = trained / "model"
    known, sample = model_fingerprint(model), model_sample(model)
    assert is_model(model, known, sample)
    other = another_model(model, tmp_path / "other")
    assert not is_model(other, known, sample)
    assert is_model(other, model_fingerprint(other), model_sample(other))
    # Also where the one is put into the folder of the other, with the other's note.
    mixed = shutil.copytree(model, tmp_path / "mixed")
    (weights,) = other.glob("*.safetensors")
    shutil.copy2(weights, mixed / weights.name)
    assert not is_model(mixed, known, sample)
    with pytest.raises(ModelError, match=r"another model than bundle was made for; set SEMCORE_MO"):
        check_model(mixed, BUNDLE, known, sample)
    with pytest.raises(ModelError, match="holds no model"):
        check_model(tmp_path / "none", BUNDLE, known, sample)


def test_one_tensor_tells(trained: Path, tmp_path: Path) -> None:
    model = trained / "model"
    names: list[str] = []
    another_model(model, tmp_path / "all", lambda name: bool(names.append(name)) or True)
    for number in range(0, len(names), 9):
        other = another_model(model, tmp_path / str(number), names[number].__eq__)
        assert model_sample(other) != model_sample(model), names[number]


def test_a_tokenizer_tells(trained: Path, tmp_path: Path) -> None:
    other = shutil.copytree(trained / "model", tmp_path / "other")
    described = json.loads((other / "tokenizer.json").read_text())
    described["normalizer"] = {"type": "NFC"}
    (other / "tokenizer.json").write_text(json.dumps(described))
    model = trained / "model"
    assert not is_model(other, model_fingerprint(model), model_sample(model))


def test_training_notes_it_so_that_nothing_is_read(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, sample = model_fingerprint(trained / "model"), model_sample(trained / "model")
    assert (trained / "model" / NOTE).is_file()
    moved = shutil.copytree(trained / "model", tmp_path / "moved")  # with its times
    nothing_is_read(monkeypatch)
    for model in (trained / "model", moved):
        assert is_model(model, known, sample)
        assert is_model(model, known, "")
        assert not is_model(model, "another", sample)


def test_a_copy_without_times_is_sampled_once(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained / "model"
    known, sample = model_fingerprint(model), model_sample(model)
    copy = copy_without_times(model, tmp_path / "copy")
    monkeypatch.setattr(fingerprint, "model_fingerprint", lambda _: "it is not read as a whole")
    assert is_model(copy, known, sample)
    nothing_is_read(monkeypatch)
    assert is_model(copy, known, sample)
    assert not is_model(copy, known, "the sample of another")


def test_what_was_bound_before_there_were_samples_is_read_as_a_whole_once(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = trained / "model"
    known = model_fingerprint(model)
    copy = copy_without_times(model, tmp_path / "copy")
    (copy / NOTE).unlink()
    with caplog.at_level(logging.WARNING, "semcore"):
        assert is_model(copy, known, "")
    assert "is read as a whole" in caplog.text
    nothing_is_read(monkeypatch)
    assert is_model(copy, known, "")
    assert not is_model(copy, "another", "")


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\2\0\0\0\0\0\0\0{}"[:9], b"text" * 9])
def test_weights_that_are_none(trained: Path, tmp_path: Path, content: bytes) -> None:
    other = copy_without_times(trained / "model", tmp_path / "other")
    (weights,) = other.glob("*.safetensors")
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"safetensors is damaged"):
        is_model(other, "fingerprint", "sample")


def test_weights_that_end_too_early(trained: Path, tmp_path: Path) -> None:
    other = copy_without_times(trained / "model", tmp_path / "other")
    (weights,) = other.glob("*.safetensors")
    os.truncate(weights, weights.stat().st_size // 2)
    with pytest.raises(ModelError, match="ends too early"):
        is_model(other, "fingerprint", "sample")


def test_a_folder_that_cannot_be_written_to(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copy_without_times(trained / "model", tmp_path / "copy")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(fingerprint, "write_whole", refuse)
    assert note_fingerprint(copy) == model_fingerprint(copy)
