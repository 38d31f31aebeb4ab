"""The examples that the documentation shows are true to the models."""

import pytest
from pydantic import BaseModel, ValidationError

from service.schemas import answer

MODELS = [
    model
    for model in vars(answer).values()
    if isinstance(model, type)
    and issubclass(model, BaseModel)
    and "examples" in (model.model_config.get("json_schema_extra") or {})
]


@pytest.mark.parametrize("model", MODELS)
def test_examples_are_valid(model: type[BaseModel]) -> None:
    extra = model.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    examples = extra["examples"]
    assert isinstance(examples, list)
    for example in examples:
        model.model_validate(example)


def test_unknown_options_are_refused() -> None:
    assert len(MODELS) >= 3
    with pytest.raises(ValidationError):
        answer.SearchOptions.model_validate({"top_k": 3, "beams": 5})
