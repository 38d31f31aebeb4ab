"""Documents have the keywords that they would have as new items, and are named once."""

import pytest

from semcore.errors import BundleError
from service.index.index import Index
from service.rerank.document_keywords import DocumentKeywords

TEXT = "two red boats on a lake at night"


async def test_are_those_of_new_items(index: Index) -> None:
    keywords = DocumentKeywords()
    for kind in ("image", "text"):
        named = index.bundle.namer.name(kind, [TEXT])
        assert await keywords.of(index.bundle, kind, TEXT) == named.lexical_id != ()
    assert await keywords.of(index.bundle, "image", "") == ()


async def test_are_worked_out_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    keywords = DocumentKeywords()
    first = await keywords.of(index.bundle, "text", TEXT)

    def again(*_: object) -> None:
        raise AssertionError("named twice")

    monkeypatch.setattr(index.bundle.namer, "name", again)
    assert await keywords.of(index.bundle, "text", TEXT) == first


async def test_there_are_none_where_only_the_offline_job_names_items(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise BundleError("identifiers of another scheme")

    monkeypatch.setattr(index.bundle.namer, "name", refused)
    assert await DocumentKeywords().of(index.bundle, "text", TEXT) == ()
