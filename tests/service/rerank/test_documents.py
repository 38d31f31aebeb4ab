"""Queries and documents are read, and errors name the one that they are about."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reranking import inline, picture

from semcore.model.prompt import TOLD_WORDS
from service.errors import (
    BadImageError,
    ImageTooLargeError,
    InvalidQueryError,
    NotFoundError,
    RequestError,
)
from service.index.index import Index
from service.rerank.documents import read_documents, read_query
from service.schemas.rerank import RerankInput
from service.settings import Settings

SETTINGS = Settings(max_image_bytes=2_000, max_image_pixels=1_000, max_query_words=5)


@pytest.fixture
def index(few: Path) -> Iterator[Index]:
    opened = Index(few)
    yield opened
    opened.close()


def test_reads_texts_pictures_and_items(index: Index) -> None:
    image, text = (next(index.bundle.store.of_split("train", kind)) for kind in ("image", "text"))
    told = [
        "word " * (TOLD_WORDS + 9),
        RerankInput(image=f"data:image/png;base64,{inline()}"),
        RerankInput(image=inline("blue"), text="blue"),
        RerankInput(id=image.id),
        RerankInput(id=text.id),
    ]
    found = read_documents(told, index.snapshot, SETTINGS)
    assert len(found[0].text.split()) == TOLD_WORDS
    assert [one.has_picture for one in found] == [False, True, True, True, False]
    assert found[1].upload is not None
    assert found[1].upload.content == picture()
    assert [one.text for one in found[1:3]] == ["", "blue"]
    assert [one.item for one in found[3:]] == [image, text]
    assert found[4].text == text.caption
    assert [index.snapshot.items([one.number or 0]) for one in found[3:]] == [[image], [text]]


@pytest.mark.parametrize(
    ("document", "error", "said"),
    [
        ({"id": "none"}, NotFoundError, "no item 'none'"),
        ({"image": "?"}, InvalidQueryError, "base64"),
        ({"image": "data:text/plain,AAAA"}, InvalidQueryError, "data URL"),
        ({"image": "AAAA"}, BadImageError, "image"),
        ({"image": "A" * 4_000}, ImageTooLargeError, "bytes"),
    ],
)
def test_names_the_document_that_is_wrong(
    index: Index, document: dict[str, Any], error: type[RequestError], said: str
) -> None:
    wrong = RerankInput.model_validate(document)
    with pytest.raises(error, match=f"^documents.1: .*{said}"):
        read_documents(["a", wrong], index.snapshot, SETTINGS)
    with pytest.raises(error, match=f"^query: .*{said}"):
        read_query(wrong, index.snapshot, SETTINGS)


def test_a_query_is_one_thing_and_not_too_long(index: Index) -> None:
    for query in ("two  boats", RerankInput(text="two boats")):
        assert read_query(query, index.snapshot, SETTINGS).text == "two boats"
    both = RerankInput(text="boats", image=inline())
    for wrong in (both, "a b c d e f", RerankInput(text="a b c d e f"), "<<"):
        with pytest.raises(InvalidQueryError, match="query"):
            read_query(wrong, index.snapshot, SETTINGS)
