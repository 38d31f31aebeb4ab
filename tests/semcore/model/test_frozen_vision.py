"""A model that sees by the frozen encoder is known as one."""

from pathlib import Path

import pytest
from frozen import create_frozen_model

from semcore.model.frozen_vision import has_frozen_vision


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen") / "model"
    create_frozen_model(["a red boat at sea"], folder)
    return folder


def test_is_known_by_its_configuration(model: Path, trained: Path, tmp_path: Path) -> None:
    assert has_frozen_vision(model)
    assert not has_frozen_vision(trained / "model")
    assert not has_frozen_vision(tmp_path)
