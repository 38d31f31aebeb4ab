"""Searches that repeat themselves less: over HTTP, page by page, in an index that changes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from searching import ADMIN, administered, assert_one_sentence, client_of, search

from semcore.guide.vectors import unit
from service.schemas.answer import EXAMPLE_PICTURE

WORDS = "A zeppelin above the harbour."


@pytest.fixture
async def client(guided: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(administered(guided, tmp_path)) as opened:
        yield opened


async def found(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await search(client, **body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"] for item in answer["items"]]


def alike(client: httpx.AsyncClient, items: list[str]) -> np.ndarray:
    """Cosines between items."""
    snapshot = client.app.state.retrieval.lifecycle.current.snapshot  # type: ignore[attr-defined]
    rows = unit(snapshot.vectors_of([snapshot.number(item) for item in items]))
    cosines: np.ndarray = rows @ rows.T
    return cosines


@pytest.mark.parametrize("verify", ["always", "never"])
@pytest.mark.parametrize("guide", ["auto", "none", "only"])
async def test_the_first_stays_and_the_rest_repeats_less(
    client: httpx.AsyncClient, verify: str, guide: str
) -> None:
    asked = {"verify": verify, "guide": guide, "beam_width": 100}
    plain = await found(client, **asked, top_k=10)
    assert plain == {**(await found(client, **asked, top_k=10, diversity=0.0)), "cached": False,
                     "timings": plain["timings"]}  # fmt: skip
    spread = await found(client, **asked, top_k=10, diversity=0.8)
    assert ids(spread)[0] == ids(plain)[0]
    above = np.triu_indices(10, 1)
    assert alike(client, ids(spread))[above].mean() < alike(client, ids(plain))[above].mean()
    # Each keeps what is known of it.
    every = {item["id"]: item for item in (await found(client, **asked, top_k=100))["items"]}
    for item in spread["items"]:
        same = {**every.get(item["id"], item), "rank": item["rank"]}
        assert item == same


async def test_pages_are_one_answer_in_parts(client: httpx.AsyncClient) -> None:
    asked = {"diversity": 0.5, "fold_duplicates": True, "beam_width": 40}
    whole = await found(client, **asked, top_k=24)
    pages = [await found(client, **asked, top_k=8)]
    for _ in range(2):
        pages.append(await found(client, **asked, top_k=8, cursor=pages[-1]["cursor"]))
    assert [item for page in pages for item in page["items"]] == whole["items"]
    for other in ({"diversity": 0.4}, {"fold_duplicates": False}):
        body = {**asked, "top_k": 8, "cursor": pages[0]["cursor"], **other}
        assert_one_sentence(await search(client, **body), 422)


async def test_a_cached_answer_is_of_the_same_order(client: httpx.AsyncClient) -> None:
    for asked in ({}, {"diversity": 0.3}, {"diversity": 0.6}, {"fold_duplicates": True}):
        first, again = [await found(client, query="boats", **asked) for _ in range(2)]
        assert (first["cached"], again["cached"]) == (False, True)
        assert first["items"] == again["items"]


@pytest.mark.parametrize("guide", ["auto", "only"])
async def test_near_duplicates_that_come_and_go(client: httpx.AsyncClient, guide: str) -> None:
    same = {"kind": "image", "captions": [WORDS], "image": EXAMPLE_PICTURE}
    twins = {"items": [{"id": f"twin {n}", **same} for n in range(3)]}
    added = await client.post("/admin/items", json=twins, headers=ADMIN)
    assert added.status_code == 200, added.text
    asked = {"query": "a zeppelin above the harbour", "guide": guide, "top_k": 100}
    plain = await found(client, **asked)
    names = [f"twin {n}" for n in range(3)]
    assert set(names) <= set(ids(plain))
    folded = await found(client, **asked, fold_duplicates=True)
    (first,) = [item for item in folded["items"] if item["id"] in names]
    assert first["id"] == next(one for one in ids(plain) if one in names)
    assert sorted([first["id"], *first["duplicates"]]) == names
    assert first["duplicate_count"] == 2
    assert all(item["duplicate_count"] == len(item["duplicates"]) for item in folded["items"])
    assert (await client.delete(f"/admin/items/{first['id']}", headers=ADMIN)).status_code == 200
    after = await found(client, **asked, fold_duplicates=True)
    (first,) = [item for item in after["items"] if item["id"] in names]
    assert first["duplicate_count"] == 1


async def test_refuses_what_is_no_share(client: httpx.AsyncClient) -> None:
    for diversity in (-0.1, 1.1, "much", None):
        assert_one_sentence(await search(client, diversity=diversity), 422)
    assert_one_sentence(await search(client, fold_duplicates="yes"), 422)
    for form, status in (({"diversity": "nan"}, 422), ({"diversity": "0.5"}, 415)):
        sent = await client.post("/search/image-to-text", files={"image": b""}, data=form)
        assert_one_sentence(sent, status)
