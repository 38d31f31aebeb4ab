"""The guide compares what is sent as it compares what the index has."""

import numpy as np
import pytest
from PIL import Image

from semcore.guide.vectors import unit
from service.engine.protocol import Picture
from service.errors import InvalidQueryError
from service.index.index import Index
from service.rerank.document_cosines import document_cosines
from service.rerank.documents import Given
from service.search.query_image import Upload

TEXTS = ["two red boats", "a green house in the snow"]


def shown(colour: str) -> tuple[Given, Picture]:
    return Given("", Upload(colour.encode())), Picture(Image.new("RGB", (32, 32), colour), colour)


async def test_texts_and_items_are_compared_by_their_vectors(reads: Index) -> None:
    snapshot = reads.snapshot
    item = next(reads.bundle.store.of_split("test", "image"))
    number = snapshot.number(item.id)
    assert number is not None
    documents = [Given(TEXTS[0]), Given(TEXTS[1]), Given(item.caption, None, item, number)]
    found = await document_cosines(snapshot, Given(TEXTS[0]), documents, [None] * 4)
    guide = snapshot.guide
    assert guide is not None
    one, other = guide.encode_texts(TEXTS)
    row = unit(snapshot.table[[number]])[0]
    assert found == pytest.approx([1.0, float(one @ other), float(one @ row)], abs=1e-5)
    alone = await document_cosines(snapshot, documents[2], documents[2:], [None] * 2)
    assert alone == pytest.approx([1.0], abs=1e-5)


async def test_pictures_are_compared_by_a_guide_that_sees(sees: Index) -> None:
    (query, red), (other, blue) = shown("red"), shown("blue")
    told = Given("a red field", other.upload)
    documents = [query, other, Given("a red field"), told]
    pictures = [red, red, blue, None, blue]
    found = await document_cosines(sees.snapshot, query, documents, pictures)
    guide = sees.snapshot.guide
    assert guide is not None
    assert red.image is not None
    assert blue.image is not None
    seen = guide.encode_images([red.image, blue.image])
    text = guide.encode_texts(["a red field"])
    both = unit(text + guide.picture_weight * seen[1:])
    expected = np.stack([seen[0], seen[1], text[0], both[0]]) @ seen[0]
    assert found == pytest.approx(expected.tolist(), abs=1e-5)


async def test_says_what_it_cannot_compare(reads: Index) -> None:
    (picture, red), text = shown("red"), Given(TEXTS[0])
    with pytest.raises(InvalidQueryError, match=r"^query: .* reads texts only"):
        await document_cosines(reads.snapshot, picture, [text], [red, None])
    with pytest.raises(InvalidQueryError, match=r"^documents.1: .* reads texts only"):
        await document_cosines(reads.snapshot, text, [text, picture], [None, None, red])
    # A picture counts by the text that describes it.
    described = Given(TEXTS[0], picture.upload)
    assert await document_cosines(reads.snapshot, text, [described], [None, red]) == pytest.approx(
        [1.0], abs=1e-5
    )


async def test_an_item_without_a_vector_is_named(
    reads: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = next(reads.bundle.store.of_split("test", "text"))
    nothing = np.zeros((1, reads.snapshot.table.shape[1]), np.int8)
    monkeypatch.setattr(reads.snapshot, "vectors_of", lambda _: nothing)
    with pytest.raises(InvalidQueryError, match=r"^documents.0: .* no vector"):
        given = Given(item.caption, None, item, 0)
        await document_cosines(reads.snapshot, Given("a boat"), [given], [None, None])
