"""Items that are added are what they say to be, and no larger than they may."""

import base64
import unicodedata
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from service.schemas import admin
from service.schemas.admin import AddRequest, NewItem

MODELS = [
    model
    for model in vars(admin).values()
    if isinstance(model, type)
    and issubclass(model, BaseModel)
    and "examples" in (model.model_config.get("json_schema_extra") or {})
]
TEXT: dict[str, Any] = {"id": "t", "kind": "text", "captions": ["a red boat"]}
IMAGE: dict[str, Any] = {
    "id": "i", "kind": "image", "captions": ["a boat", "a ship"], "image": "AAAA",
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_examples_are_valid(model: type[BaseModel]) -> None:
    extra = model.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    assert isinstance(extra["examples"], list)
    for example in extra["examples"]:
        model.model_validate(example)


def test_there_are_examples() -> None:
    assert NewItem in MODELS


def test_takes_a_picture_in_base64_and_captions_without_the_space_around_them() -> None:
    image = NewItem.model_validate({**IMAGE, "image": base64.b64encode(b"its bytes").decode()})
    assert (image.image, image.pair, image.metadata) == (b"its bytes", None, {})
    assert NewItem.model_validate({**TEXT, "captions": [" a boat\n"]}).captions == ["a boat"]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({**TEXT, "image": "AAAA"}, "a text has none"),
        ({**TEXT, "captions": ["a boat", "a ship"]}, "a text has one caption"),
        ({**IMAGE, "image": None}, "an image needs 'image'"),
        ({**IMAGE, "image": "AAA"}, "base64"),
        ({**IMAGE, "captions": ["a boat"] * 21}, "at most 20"),
        ({**TEXT, "captions": []}, "at least 1"),
        ({**TEXT, "captions": [" "]}, "at least 1"),
        ({**TEXT, "captions": ["x" * 10_001]}, "at most 10000"),
        ({**TEXT, "kind": "sound"}, "'image' or 'text'"),
        ({**TEXT, "id": ""}, "at least 1"),
        ({**TEXT, "id": "x" * 201}, "at most 200"),
        ({**TEXT, "id": "two\nlines"}, "pattern"),
        ({**TEXT, "pair": "\x00"}, "pattern"),
        ({**TEXT, "metadata": {f"f{n}": n for n in range(101)}}, "at most 100"),
        ({**TEXT, "caption": "a boat"}, "not permitted"),
    ],
)
def test_says_what_is_wrong_with_an_item(item: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NewItem.model_validate(item)


def test_a_request_has_items_but_not_too_many() -> None:
    assert len(AddRequest.model_validate({"items": [TEXT] * 100}).items) == 100
    for count in (0, 101):
        with pytest.raises(ValidationError, match="items"):
            AddRequest.model_validate({"items": [TEXT] * count})


def test_a_request_brings_captions_into_one_form() -> None:
    parts = unicodedata.normalize("NFD", "é")
    request = AddRequest.model_validate(
        {"items": [{"id": parts, "kind": "text", "captions": [parts]}]}
    )
    assert request.items[0].captions == ["é"]
    assert request.items[0].id == parts  # a name is as it is


def test_captions_are_taken_in_as_the_offline_job_does() -> None:
    told = {**TEXT, "captions": ["<p>two red boats &amp; a lake</p>\n https://example.com/1"]}
    assert NewItem.model_validate(told).captions == ["two red boats & a lake"]
    markup = NewItem.model_validate({**TEXT, "captions": ["<br/>"]})
    assert markup.captions == ["<br/>"]  # what cannot be said otherwise
