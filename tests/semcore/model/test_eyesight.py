"""What a model sees of a picture is told by its processor."""

from pathlib import Path

from semcore.model.eyesight import LARGEST, side_of, side_seen


def test_what_a_model_sees_is_told_by_its_processor(trained: Path, tmp_path: Path) -> None:
    assert side_seen(trained / "model") == 2 * 96
    assert side_seen(tmp_path) == LARGEST
    one = {"size": {"height": 448, "width": 448}, "crop_to_patches": False, "max_patches": 12}
    assert side_of(one) == 2 * 448
    assert side_of({**one, "crop_to_patches": True}) == 4 * 448
    assert side_of({}) == LARGEST
