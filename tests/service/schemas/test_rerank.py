"""A request of re-ranking is read in the forms that clients send it in."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.schemas.rerank import MOST_DOCUMENTS, RerankInput, RerankRequest


def request(**more: Any) -> RerankRequest:
    return RerankRequest.model_validate({"query": "a boat", "documents": ["a"], **more})


def test_documents_are_texts_pictures_or_items() -> None:
    read = request(documents=[" a ", {"text": "b"}, {"image": "AA", "text": "c"}, {"id": "d"}])
    assert read.documents == [
        "a",
        RerankInput(text="b"),
        RerankInput(image="AA", text="c"),
        RerankInput(id="d"),
    ]
    assert request(query={"id": "d"}).query == RerankInput(id="d")


def test_what_other_services_take_is_ignored() -> None:
    read = request(model="rerank-v3.5", max_tokens_per_doc=4096, truncate_prompt_tokens=-1)
    assert read.model == "rerank-v3.5"
    assert "max_tokens_per_doc" not in read.model_dump()


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"documents": []}, ("documents",)),
        ({"documents": ["a"] * (MOST_DOCUMENTS + 1)}, ("documents",)),
        ({"documents": [{}]}, ("documents", 0, "input")),
        ({"documents": [{"id": "a", "text": "b"}]}, ("documents", 0, "input")),
        ({"documents": [{"text": "a", "title": "b"}]}, ("documents", 0, "input", "title")),
        ({"documents": [7]}, ("documents", 0, "input")),
        ({"documents": [" "]}, ("documents", 0, "text")),
        ({"query": ""}, ("query", "text")),
        ({"top_n": -1}, ("top_n",)),
        ({"top_n": "3"}, ("top_n",)),
        ({"timeout_ms": 0}, ("timeout_ms",)),
    ],
)
def test_says_what_is_wrong(wrong: dict[str, Any], place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as raised:
        request(**wrong)
    assert raised.value.errors()[0]["loc"] == place
