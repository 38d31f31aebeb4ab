"""A model's folder says in which form it has learned to verify."""

import json
from pathlib import Path

import pytest

from semcore.errors import ModelError
from semcore.model.training_record import RECORD, LearnedGsv


def record(model: Path, **settings: object) -> Path:
    (model / RECORD).write_text(json.dumps(settings))
    return model


def test_reads_what_was_learned(tmp_path: Path) -> None:
    record(tmp_path, gsv_queries=8, gsv="listwise", gsv_told="captions")
    assert LearnedGsv.of_model(tmp_path) == LearnedGsv(form="listwise", told="captions")


def test_is_pointwise_where_nothing_else_was_learned(tmp_path: Path) -> None:
    assert LearnedGsv.of_model(tmp_path) == LearnedGsv(form="pointwise", told="keywords")
    assert LearnedGsv.of_model(record(tmp_path, gsv_queries=8)) == LearnedGsv()
    without = record(tmp_path, gsv_queries=0, gsv="listwise")
    assert LearnedGsv.of_model(without) == LearnedGsv()


@pytest.mark.parametrize("content", ["{", "[]", '{"gsv_queries": 8, "gsv": "pairwise"}'])
def test_says_where_the_record_is_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / RECORD).write_text(content)
    with pytest.raises(ModelError, match="damaged"):
        LearnedGsv.of_model(tmp_path)
