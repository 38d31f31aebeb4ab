"""A model appears as a whole, and nothing is gone on with that was made of something else."""

from pathlib import Path

import pytest

from offline.training.run_directory import Workplace, samples_seen
from semcore.errors import ModelError
from semcore.model.training_record import RECORD

ORIGIN = {"bundle": "1a2b", "epochs": 0.5, "warm_up": None}
WEIGHTS = "model.safetensors"


def finished(place: Workplace, weights: str) -> None:
    place.claim(1)
    stage = place.folder / "stage2"
    stage.mkdir()
    (stage / WEIGHTS).write_text(weights)
    place.publish(stage, {RECORD: place.record({"stage1": 5, "stage2": 3})})


def test_publishes_a_model_and_leaves_nothing_else(tmp_path: Path) -> None:
    place = Workplace(tmp_path / "model", ORIGIN)
    assert not place.is_done()
    finished(place, "first")
    assert place.is_done()
    assert samples_seen(place.out) == 8
    finished(place, "second")
    assert (place.out / WEIGHTS).read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_lacks_its_weights_or_is_of_another_origin_is_not_done(tmp_path: Path) -> None:
    place = Workplace(tmp_path / "model", ORIGIN)
    finished(place, "first")
    assert not Workplace(place.out, {**ORIGIN, "epochs": 1.0}).is_done()
    (place.out / WEIGHTS).unlink()
    assert not place.is_done()


def test_goes_on_only_with_what_was_made_of_the_same(tmp_path: Path) -> None:
    place = Workplace(tmp_path / "model", ORIGIN)
    place.claim(2)
    place.claim(2)
    for other, processes in ((place, 1), (Workplace(place.out, {**ORIGIN, "epochs": 1.0}), 2)):
        with pytest.raises(ModelError, match="delete it, or name another folder"):
            other.claim(processes)
    place.clear()
    place.clear()
    place.folder.mkdir()
    (place.folder / "origin.json.part").write_text("{")  # what a killed claim leaves
    place.claim(1)
    place.clear()
    assert not list(tmp_path.iterdir())
    place.claim(1)
