"""The client against the real application on the fake engine, and against services in trouble."""

import asyncio
import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from answering import answering
from live import fake_service, until_ready
from PIL import Image

from cli.service_process import free_port
from semcore.client import AsyncSemcoreClient, SemcoreClient, ServiceError, _Attempts

KEY = "secret"


@pytest.fixture(scope="module")
def url(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    journal = str(tmp_path_factory.mktemp("journal"))
    own = {"SEMCORE_ADMIN_KEY": KEY, "SEMCORE_JOURNAL": journal, "REDIS_URL": ""}
    with fake_service(trained / "bundle", **own) as (_, address):
        asyncio.run(until_ready(address))
        yield address


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 0, 0)).save(file, "PNG")
    return file.getvalue()


def test_searches_and_changes_items(url: str, tmp_path: Path) -> None:
    with SemcoreClient(url, KEY) as client:
        answer = client.search("two boats", top_k=3, verify="never")
        assert [item["rank"] for item in answer["items"]] == [1, 2, 3]
        assert client.picture(answer["items"][0]["id"]).startswith(b"\x89PNG")
        (tmp_path / "query.png").write_bytes(picture())
        texts = client.search(tmp_path / "query.png", top_k=2)
        assert texts["items"] == client.search(picture(), top_k=2)["items"]
        assert all(item["text"] for item in texts["items"])
        client.add([{"id": "a/b", "kind": "text", "captions": ["a red boat"]}])
        client.delete("a/b")
        with pytest.raises(ServiceError, match="no item") as refused:
            client.delete("a/b")
        assert refused.value.status == 404
        with pytest.raises(ServiceError, match="top_k"):
            client.search("boats", top_k=1000)
    with SemcoreClient(url) as stranger, pytest.raises(ServiceError, match="needs a key"):
        stranger.delete("a/b")


async def test_orders_documents(url: str, tmp_path: Path) -> None:
    (tmp_path / "other.png").write_bytes(picture())
    documents = [{"image": base64.b64encode(picture()).decode(), "text": "a red field"}, picture()]
    with SemcoreClient(url) as client:
        ranked = client.rerank("two boats", [*documents, tmp_path / "other.png"])
        assert sorted(one["index"] for one in ranked) == [0, 1, 2]
        assert ranked[0]["relevance_score"] >= ranked[1]["relevance_score"]
        by_picture = client.rerank(picture(), ["a boat", "a dog"], top_n=1)
        assert len(by_picture) == 1
        with pytest.raises(ServiceError, match="both a text"):
            client.rerank("two boats", ["a boat"])
    async with AsyncSemcoreClient(url) as patient:
        again = await patient.rerank(picture(), ["a boat", "a dog"], top_n=1)
        assert again == by_picture


async def test_finds_items_like_one(guided: Path, tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    with fake_service(guided, SEMCORE_ADMIN_KEY=KEY, SEMCORE_JOURNAL=journal, REDIS_URL="") as (
        _,
        address,
    ):
        await until_ready(address)
        with SemcoreClient(address, KEY) as client:
            same = {"kind": "text", "captions": ["a red boat"]}
            client.add([{"id": name, **same} for name in ("a/b", "c", "d")])
            near = client.similar("a/b", top_k=2)
            assert [item["id"] for item in near["items"]] == ["c", "d"]
            (first,) = client.similar("a/b", top_k=1, fold_duplicates=True)["items"]
            assert (first["duplicates"], first["duplicate_count"]) == (["d"], 1)
            images = client.similar("a/b", kind="image", diversity=0.5)
            assert all(item["image"] for item in images["items"])
            by_picture = client.similar(picture(), top_k=3)
            (tmp_path / "query.png").write_bytes(picture())
            assert client.similar(tmp_path / "query.png", top_k=3)["items"] == by_picture["items"]
            with pytest.raises(ServiceError, match="no item") as refused:
                client.similar("none")
            assert refused.value.status == 404
        async with AsyncSemcoreClient(address) as waiting:
            assert (await waiting.similar("a/b", top_k=2))["items"] == near["items"]
            assert (await waiting.similar(picture(), top_k=3))["items"] == by_picture["items"]


async def test_counts_and_arranges_by_metadata(few: Path, tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    with fake_service(few, SEMCORE_JOURNAL=journal, REDIS_URL="") as (_, address):
        await until_ready(address)
        with SemcoreClient(address) as client:
            late: dict[str, object] = {"field": "year", "gte": 1992}
            counts = client.facets(["year", "tags"], kind="image", filter=late, limit=1)
            year, tags = counts["fields"]
            assert (year["field"], tags["field"]) == ("year", "tags")
            assert len(year["values"]) == 1 < year["distinct"]
            assert year["without"] == 0
            assert (year["min"] or 0) >= 1992
            newest = client.search(
                "boats", filter=late, facets=["year"], group_by="year",
                sort={"field": "year", "descending": True},
            )  # fmt: skip
            years = [item["metadata"]["year"] for item in newest["items"]]
            assert years == sorted(set(years), reverse=True)
            assert newest["facets"] is not None
            assert newest["facets"]["total"] == counts["total"]
            assert (newest["considered"] or 0) >= len(years)
            with pytest.raises(ServiceError, match="there are tags, year") as refused:
                client.facets(["yaer"])
            assert refused.value.status == 422
        async with AsyncSemcoreClient(address) as waiting:
            again = await waiting.facets(["year", "tags"], kind="image", filter=late, limit=1)
            assert again == counts


async def test_the_same_for_asyncio(url: str) -> None:
    async with AsyncSemcoreClient(url, KEY) as client:
        answers = await asyncio.gather(*(client.search(f"boat {n}", top_k=2) for n in range(5)))
        assert all(len(answer["items"]) == 2 for answer in answers)
        item = answers[0]["items"][0]["id"]
        assert (await client.picture(item)).startswith(b"\x89PNG")
        await client.add([{"id": "new", "kind": "text", "captions": ["a red boat"]}])
        await client.delete("new")
        with pytest.raises(ServiceError, match="no item"):
            await client.delete("new")


@contextmanager
def troubled(*statuses: int) -> Iterator[tuple[str, list[str]]]:
    """A service that answers one request after the other with these, then with 200."""
    asked: list[str] = []

    def answer(path: str) -> tuple[int, bytes]:
        status = statuses[len(asked)] if len(asked) < len(statuses) else 200
        asked.append(path)
        return status, b'{"error": "no room"}' if status != 200 else b'{"items": []}'

    with answering(answer) as address:
        yield address, asked


async def test_asks_again_as_often_as_told() -> None:
    with troubled(429, 503) as (address, asked), SemcoreClient(address) as client:
        assert client.search("a boat")["items"] == []
        assert len(asked) == 3
    with troubled(429, 503) as (address, asked):
        async with AsyncSemcoreClient(address) as patient:
            assert (await patient.search("a boat"))["items"] == []
        assert len(asked) == 3
    with troubled(*[503] * 9) as (address, asked), SemcoreClient(address, retries=2) as client:
        with pytest.raises(ServiceError, match="no room"):
            client.search("a boat")
        assert len(asked) == 3
    with troubled(500) as (address, asked), SemcoreClient(address) as client:
        with pytest.raises(ServiceError):
            client.search("a boat")
        assert len(asked) == 1


async def test_says_that_nothing_answers() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with SemcoreClient(address, retries=0) as client:
        with pytest.raises(ServiceError, match="does not answer") as failed:
            client.search("a boat")
        assert failed.value.status == 0
    async with AsyncSemcoreClient(address, retries=0) as waiting:
        with pytest.raises(ServiceError, match="does not answer"):
            await waiting.search("a boat")


def test_waits_as_it_sees_fit_where_it_is_told_a_date() -> None:
    told = httpx.Response(503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    attempts = _Attempts(8)
    waits = [attempts.answered(told) for _ in range(7)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert attempts.answered(httpx.Response(429, headers={"Retry-After": "7"})) == 7.0
    with pytest.raises(ServiceError, match="503"):
        attempts.answered(told)


def answered_by(first: httpx.Response | httpx.TransportError) -> SemcoreClient:
    """Of a service that knows no item ``a``, and answers the first request otherwise."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if len(asked) > 1:
            return httpx.Response(404, json={"error": "there is no item 'a'"})
        if isinstance(first, httpx.TransportError):
            raise first
        return first

    client = SemcoreClient("http://service")
    client._http = httpx.Client(base_url="http://service", transport=httpx.MockTransport(answer))
    return client


@pytest.mark.parametrize("first", [httpx.ReadError("the connection broke"), httpx.Response(502)])
def test_what_was_deleted_by_a_request_whose_answer_was_lost_is_deleted(
    first: httpx.Response | httpx.TransportError,
) -> None:
    with answered_by(first) as client:
        client.delete("a")
        with pytest.raises(ServiceError, match="no item"):
            client.delete("a")


@pytest.mark.parametrize("first", [httpx.ConnectError("refused"), httpx.Response(503)])
def test_what_was_never_asked_to_be_deleted_is_not(
    first: httpx.Response | httpx.TransportError,
) -> None:
    with answered_by(first) as client, pytest.raises(ServiceError, match="no item"):
        client.delete("a")
