"""Items that are added are what they say to be, and no larger than they may."""

import unicodedata

from service.schemas.admin import AddRequest


def test_a_request_brings_captions_into_one_form() -> None:
    parts = unicodedata.normalize("NFD", "é")
    request = AddRequest.model_validate(
        {"items": [{"id": parts, "kind": "text", "captions": [parts]}]}
    )
    assert request.items[0].captions == ["é"]
    assert request.items[0].id == parts  # a name is as it is
