"""An adapter is known by its configuration, which tells its rank."""

import json
from pathlib import Path

import pytest

from semcore.errors import ModelError
from semcore.model.adapter import ADAPTER, adapter_of, adapter_rank

CONFIG = "adapter_config.json"


def test_a_model_has_an_adapter_where_its_configuration_lies(tmp_path: Path) -> None:
    assert adapter_of(tmp_path) is None
    (tmp_path / ADAPTER).mkdir()
    assert adapter_of(tmp_path) is None
    (tmp_path / ADAPTER / CONFIG).write_text(json.dumps({"r": 16, "lora_alpha": 32}))
    assert adapter_of(tmp_path) == tmp_path / ADAPTER
    assert adapter_rank(tmp_path / ADAPTER) == 16


@pytest.mark.parametrize("content", [None, "", "{}", '{"r": "many"}', '{"r": null}', "[]"])
def test_names_what_is_no_adapter(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / CONFIG).write_text(content)
    with pytest.raises(ModelError, match=f"{tmp_path} is no adapter .*; train the model again"):
        adapter_rank(tmp_path)
