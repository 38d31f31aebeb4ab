"""Counts, groups and orders by metadata, over HTTP: in an index that changes, page by page."""

import base64
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from searching import ADMIN, administered, assert_one_sentence, client_of, search

from service.schemas.answer import EXAMPLE_PICTURE

LATE = {"field": "year", "gte": 1992}
TEXT = "/search/text-to-image"


@pytest.fixture
async def client(few: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(administered(few, tmp_path)) as opened:
        yield opened


@pytest.fixture
async def comparing(guided: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An index with a guide, where twelve texts of three authors were added."""
    async with client_of(administered(guided, tmp_path)) as opened:
        await add(
            opened,
            *(
                {
                    "id": f"text {n:02}", "kind": "text", "captions": [f"A boat, number {n}."],
                    "metadata": {"author": "xyz"[n % 3], "number": n},
                }
                for n in range(12)
            ),
        )  # fmt: skip
        yield opened


async def told(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def add(client: httpx.AsyncClient, *items: dict[str, Any]) -> None:
    added = await client.post("/admin/items", json={"items": items}, headers=ADMIN)
    assert added.status_code == 200, added.text


def items_of(client: httpx.AsyncClient, kind: str) -> list[Any]:
    """All that can be found."""
    index = client.app.state.retrieval.lifecycle.current  # type: ignore[attr-defined]
    snapshot = index.snapshot
    every = [*map(snapshot.get, (item.id for item in index.bundle.store)), *snapshot.added.values()]
    found = {item.id: item for item in every if item is not None and item.kind == kind}
    return list(found.values())


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"] for item in answer["items"]]


def counted(facet: dict[str, Any]) -> dict[Any, int]:
    return {one["value"]: one["count"] for one in facet["values"]}


async def test_counts_follow_what_is_added_and_deleted(client: httpx.AsyncClient) -> None:
    for filtered in (None, LATE):
        for kind in ("image", "text"):
            asked = {"fields": ["year"], "kind": kind, "filter": filtered, "limit": 100}
            items = [
                one for one in items_of(client, kind)
                if filtered is None or one.metadata.get("year", 0) >= 1992
            ]  # fmt: skip
            answer = await told(client, "/facets", **asked)
            assert answer["total"] == len(items)
            years = Counter(one.metadata["year"] for one in items if "year" in one.metadata)
            (facet,) = answer["fields"]
            assert counted(facet) == years
            assert facet["without"] == len(items) - years.total()
            assert (facet["min"], facet["max"]) == (min(years), max(years))
    before = await told(client, "/facets", fields=["year"])
    both = before["total"]
    assert both == sum(len(items_of(client, kind)) for kind in ("image", "text"))
    picture = {"kind": "image", "captions": ["a boat"], "image": EXAMPLE_PICTURE}
    await add(client, {"id": "new", "metadata": {"year": 3000, "fresh": True}, **picture})
    after = await told(client, "/facets", fields=["year", "fresh"], limit=100)
    assert after["index_version"] != before["index_version"]
    assert after["total"] == both + 1
    assert counted(after["fields"][0])[3000] == 1
    assert after["fields"][0]["max"] == 3000
    assert after["fields"][1]["values"] == [{"value": 1, "count": 1}]
    assert after["fields"][1]["without"] == both
    assert (await client.delete("/admin/items/new", headers=ADMIN)).status_code == 200
    again = await told(client, "/facets", fields=["year"])
    assert again["fields"] == before["fields"]


async def test_beside_a_search_counts_are_those_of_its_filter(client: httpx.AsyncClient) -> None:
    for filtered in (None, LATE, {"field": "year", "gt": 5000}):
        counts = await told(client, "/facets", fields=["year"], kind="image", filter=filtered)
        asked = {"query": "boats", "filter": filtered, "facets": ["year"], "top_k": 1}
        answer = await told(client, TEXT, **asked)
        assert answer["facets"] == {"total": counts["total"], "fields": counts["fields"]}
        assert answer["index_version"] == counts["index_version"]
    assert (await told(client, TEXT, query="boats"))["facets"] is None
    again = await told(client, TEXT, query="boats", facets=["year"], top_k=1)
    assert again["cached"]
    assert again["facets"]["fields"][0]["field"] == "year"


async def test_a_group_has_as_many_as_are_wanted(client: httpx.AsyncClient) -> None:
    asked = {"query": "two red boats", "beam_width": 40}
    plain = await told(client, TEXT, **asked, top_k=40)
    assert plain["considered"] is None
    for size in (1, 2):
        answer = await told(client, TEXT, **asked, top_k=40, group_by="year", group_size=size)
        taken: Counter[Any] = Counter()
        kept = []
        for item in plain["items"]:
            year = item["metadata"].get("year")
            if year is None or taken[year] < size:
                kept.append(item["id"])
                taken[year] += 1
        assert ids(answer) == kept
        assert answer["considered"] == len(plain["items"])
        assert [item["rank"] for item in answer["items"]] == list(range(1, len(kept) + 1))
        first = await told(client, TEXT, **asked, top_k=2, group_by="year", group_size=size)
        second = await told(
            client, TEXT, **asked, top_k=2, group_by="year", group_size=size,
            cursor=first["cursor"],
        )  # fmt: skip
        assert [*ids(first), *ids(second)] == kept[:4]
    other = {**asked, "top_k": 2, "group_by": "year", "cursor": first["cursor"]}
    assert_one_sentence(await client.post(TEXT, json=other), 422)


@pytest.mark.parametrize("descending", [False, True])
async def test_sorts_what_was_found(client: httpx.AsyncClient, descending: bool) -> None:
    asked = {"query": "two red boats", "beam_width": 40, "top_k": 40}
    plain = await told(client, TEXT, **asked)
    sort = {"field": "year", "descending": descending}
    answer = await told(client, TEXT, **asked, sort=sort)
    places = {item["id"]: place for place, item in enumerate(plain["items"])}
    having = [item for item in plain["items"] if "year" in item["metadata"]]
    sign = -1 if descending else 1
    expected = sorted(
        having, key=lambda item: (sign * item["metadata"]["year"], places[item["id"]])
    )
    rest = [item["id"] for item in plain["items"] if "year" not in item["metadata"]]
    assert ids(answer) == [*(item["id"] for item in expected), *rest]
    assert answer["considered"] == len(plain["items"])
    both = await told(client, TEXT, **asked, sort=sort, group_by="year")
    years = [item["metadata"]["year"] for item in both["items"] if "year" in item["metadata"]]
    assert years == sorted(set(years), reverse=descending)


async def test_the_guide_alone_groups_and_sorts(comparing: httpx.AsyncClient) -> None:
    asked = {"id": "text 00", "top_k": 100}
    for options in ({}, {"diversity": 0.5}, {"fold_duplicates": True}):
        near = await told(comparing, "/search/similar", **asked, group_by="author", **options)
        authors = [
            item["metadata"]["author"] for item in near["items"] if "author" in item["metadata"]
        ]
        assert sorted(authors) == ["x", "y", "z"]
        assert any("author" not in item["metadata"] for item in near["items"])
        assert near["considered"] > len(near["items"])
    plain = await told(comparing, "/search/similar", **asked)
    grouped = await told(comparing, "/search/similar", **asked, group_by="author", diversity=0.5)
    best = {item["metadata"].get("author"): item["id"] for item in reversed(plain["items"])}
    assert {best["x"], best["y"], best["z"]} <= set(ids(grouped))
    newest = await told(
        comparing, "/search/similar", **asked, sort={"field": "number", "descending": True},
        filter={"field": "number", "gte": 0}, facets=["author"],
    )  # fmt: skip
    assert ids(newest) == [f"text {n:02}" for n in range(11, 0, -1)]
    assert counted(newest["facets"]["fields"][0]) == {"x": 4, "y": 4, "z": 4}
    assert newest["facets"]["total"] == 12


async def test_a_form_has_the_same_options(client: httpx.AsyncClient) -> None:
    form = {
        "top_k": "20", "group_by": "year", "sort": '{"field": "year", "descending": true}',
        "facets": ["year"],
    }  # fmt: skip
    picture = base64.b64decode(EXAMPLE_PICTURE)
    sent = await client.post("/search/image-to-text", files={"image": picture}, data=form)
    assert sent.status_code == 200, sent.text
    answer = sent.json()
    years = [item["metadata"]["year"] for item in answer["items"] if "year" in item["metadata"]]
    assert years == sorted(set(years), reverse=True)
    assert answer["facets"]["fields"][0]["field"] == "year"
    refused = await client.post(
        "/search/image-to-text", files={"image": picture}, data={"sort": "year"}
    )
    assert_one_sentence(refused, 400)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group_by": "yaer"}, "there are"),
        ({"sort": {"field": "yaer"}}, "there are"),
        ({"facets": ["year", "yaer"]}, "there are"),
        ({"group_size": 2}, "group_by"),
        ({"sort": {"field": "year"}, "diversity": 0.5}, "leave one"),
        ({"sort": "year"}, "sort"),
        ({"group_by": "year", "group_size": 0}, "group_size"),
    ],
)
async def test_says_what_is_wrong(
    client: httpx.AsyncClient, options: dict[str, Any], said: str
) -> None:
    refused = await search(client, **options)
    assert_one_sentence(refused, 422)
    assert said in refused.json()["error"]
    if said == "there are":
        assert "year" in refused.json()["error"].partition(said)[2]


async def test_counting_says_what_is_wrong(client: httpx.AsyncClient) -> None:
    for body in ({"fields": ["yaer"]}, {"fields": []}, {"fields": ["year"], "limit": 101}):
        assert_one_sentence(await client.post("/facets", json=body), 422)
