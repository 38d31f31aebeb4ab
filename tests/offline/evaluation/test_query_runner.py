"""Queries are asked once, and their answers are taken whole or refused."""

import base64
import json
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from bundles import bundle_of
from elsewhere import PLACES, put

from offline.evaluation.query_runner import Questions, ask, asked_directions, chosen_queries
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import Item
from semcore.client import AsyncSemcoreClient, ServiceError
from semcore.errors import CorpusError, PictureError, SemcoreError

TEXTS = Questions("text-to-image")
IMAGES = Questions("image-to-text")


def items(pictures: int) -> list[Item]:
    """Each picture has three texts, of which the last one is a fair query for it."""
    found = []
    for pair in (f"p{number}" for number in range(pictures)):
        found.append(Item(pair, "image", "test", pair, False, "boat", f"{pair}.png", "<g1> boat"))
        found += [
            Item(f"{pair}#{n}", "text", "test", pair, n == 2, f"{pair} boat {n}", "", "<g1> boat")
            for n in range(3)
        ]
    return found


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    root.mkdir()
    for item in items(5):
        if item.image:
            (root / item.image).write_bytes(item.id.encode())
    return bundle_of(items(5), tmp_path / "bundle", root)


def answer(bundle: Path, *found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "index_version": f"{read_manifest(bundle).version}+3", "degraded": None, "illegal": 0,
        "items": found, "traces": [], **more,
    }  # fmt: skip


def shown(item_id: str, rank: int, beam_rank: int | None = None, **more: Any) -> dict[str, Any]:
    beam_rank = beam_rank or rank
    return {
        "id": item_id, "rank": rank, "beam_rank": beam_rank, "score": -float(beam_rank),
        "logprob": -float(beam_rank), "odds": None, "commonness": None, "description": None,
        "verification": None, "cosine": None, **more,
    }  # fmt: skip


@asynccontextmanager
async def service(
    told: Callable[[dict[str, Any]], dict[str, Any]], status: int = 200
) -> AsyncIterator[AsyncSemcoreClient]:
    """A client of a service that answers what it is asked with what it is told."""

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=told(json.loads(request.content)))

    client = AsyncSemcoreClient("http://service", retries=0)
    await client._http.aclose()
    transport = httpx.MockTransport(respond)
    client._http = httpx.AsyncClient(base_url="http://service", transport=transport)
    async with client:
        yield client


@asynccontextmanager
async def no_service() -> AsyncIterator[AsyncSemcoreClient]:
    def asked(_: object) -> dict[str, Any]:
        raise AssertionError("it is held what was answered")

    async with service(asked) as client:
        yield client


async def test_asks_texts_that_no_identifier_is_made_of_for_their_pictures(bundle: Path) -> None:
    asked: list[dict[str, Any]] = []

    def told(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        pair = body["query"].split()[0]
        return answer(bundle, shown("p9", 1), shown(pair, 2))

    async with service(told) as client:
        found = await ask(client, bundle, replace(TEXTS, beam_width=7, verified=False))
    assert {body["query"] for body in asked} == {f"p{n} boat 2" for n in range(5)}
    for body in asked:
        assert (body["beam_width"], body["top_k"], body["verify"]) == (7, 7, "never")
        assert body["trace"] == [body["query"].split()[0]]
    assert [one.query for one in found] == [one.id for one in chosen_queries(bundle, TEXTS)]
    for one in found:
        assert (one.query, one.verified, one.beam) == (f"{one.pair}#2", 2, 2)
        assert [item.right for item in one.items] == [False, True]


async def test_asks_pictures_for_any_of_their_texts(bundle: Path) -> None:
    asked: list[dict[str, Any]] = []

    def told(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        pair = base64.b64decode(body["image"]).decode()
        return answer(bundle, shown(f"{pair}#1", 1, 2), shown("p9#0", 2, 1))

    async with service(told) as client:
        found = await ask(client, bundle, replace(IMAGES, limit=3))
    assert len(asked) == len(found) == 3
    for body in asked:
        pair = base64.b64decode(body["image"]).decode()
        assert (body["verify"], body["trace"]) == ("always", [f"{pair}#{n}" for n in range(3)])
    for one in found:
        assert one.query == one.pair
        assert (one.verified, one.beam, one.first_changed, one.lead) == (1, 2, True, 1.0)


@pytest.mark.parametrize("place", PLACES)
async def test_asks_pictures_that_are_no_files_by_themselves(tmp_path: Path, place: str) -> None:
    every = items(3)
    pictures = {one.image: one.id.encode() for one in every if one.image}
    root, images = put(place, pictures, tmp_path / "pictures")
    every = [replace(one, image=images.get(one.image, "")) for one in every]
    there = bundle_of(every, tmp_path / "bundle", root)
    lost = bundle_of(every, tmp_path / "lost", "memory://nowhere")
    asked: list[str] = []

    def told(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(base64.b64decode(body["image"]).decode())
        return answer(there, shown("p1#1", 1))

    async with service(told) as client:
        await ask(client, there, IMAGES)
        assert sorted(asked) == ["p0", "p1", "p2"]
        with pytest.raises(PictureError, match="cannot be read"):
            await ask(client, lost, IMAGES)
        await ask(client, lost, IMAGES, image_root=root)
    assert sorted(asked) == ["p0", "p0", "p1", "p1", "p2", "p2"]


async def test_answers_tell_what_was_lost_and_where(bundle: Path) -> None:
    lost = [{"lost_at": 2}, {"lost_at": 4}]

    async def answered(**more: Any) -> Any:
        found = more.pop("items", [])
        async with service(lambda _: answer(bundle, *found, **more)) as client:
            (one,) = await ask(client, bundle, replace(TEXTS, limit=1, beam_width=4))
        return one

    none = await answered(illegal=3, traces=lost)
    assert (none.lost_at, none.verified, none.illegal) == (4, None, 0.75)
    assert (none.lead, none.confidence, none.first_changed) == (math.inf, 0.0, False)
    assert (await answered(traces=[*lost, {"lost_at": None}])).lost_at is None
    wrong = await answered(items=[shown("p9", 1)], traces=lost)
    assert (wrong.lost_at, wrong.lead, wrong.confidence) == (4, math.inf, 1.0)
    # Without verification the shares of the beams are what is promised.
    even = await answered(items=[shown("p8", 1, logprob=-1.0), shown("p9", 2, logprob=-1.0)])
    assert even.confidence == pytest.approx(0.5)


async def test_any_text_of_the_picture_is_what_was_promised(bundle: Path) -> None:
    """Confidence is the picture's: of four candidates two are texts of one picture."""
    candidates = [("p1#0", 0.4), ("p2#0", 0.3), ("p1#2", 0.2), ("added later", 0.1)]
    found = [shown(name, rank, verification=p) for rank, (name, p) in enumerate(candidates, 1)]
    async with service(lambda _: answer(bundle, *found)) as client:
        (answered,) = await ask(client, bundle, replace(IMAGES, limit=1))
    assert answered.confidence == pytest.approx(0.6)


async def test_asks_only_what_the_log_does_not_hold(bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    async with service(lambda _: answer(bundle, shown("p1", 1, odds=0.5))) as client:
        first = await ask(client, bundle, TEXTS, log)
    lines = log.read_text().split("\n")
    async with no_service() as client:
        assert await ask(client, bundle, TEXTS, log) == first
        fewer = await ask(client, bundle, replace(TEXTS, limit=2), log)
    assert len(fewer) == 2
    assert all(one in first for one in fewer)
    # A run that was stopped as it wrote: half a line is an answer that is asked for again.
    log.write_text("\n".join([*lines[:-1], lines[-1][:40]]))
    asked: list[object] = []

    def told(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body["query"])
        return answer(bundle, shown("p1", 1, odds=0.5))

    async with service(told) as client:
        assert await ask(client, bundle, TEXTS, log) == first
        assert len(asked) == 1
        await ask(client, bundle, replace(TEXTS, beam_width=5), log)  # which is something else
        assert len(asked) == 6


async def test_does_not_mix_answers_of_an_index_that_changed(bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    async with service(lambda _: answer(bundle)) as client:
        await ask(client, bundle, replace(TEXTS, limit=2), log)
    later = answer(bundle, index_version=f"{read_manifest(bundle).version}+4")
    async with service(lambda _: later) as client:
        with pytest.raises(SemcoreError, match="items were added or deleted since"):
            await ask(client, bundle, replace(TEXTS, limit=3), log)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"index_version": "another"}, "serves the index another .* reload it"),
        ({"degraded": {"beam_width": 2, "verified": 0}}, "no time for whole answers"),
    ],
)
async def test_answers_that_measure_something_else_are_refused(
    bundle: Path, tmp_path: Path, told: dict[str, object], said: str
) -> None:
    log = tmp_path / "answers.jsonl"
    async with service(lambda _: answer(bundle, **told)) as client:
        with pytest.raises(SemcoreError, match=said):
            await ask(client, bundle, TEXTS, log)
    assert not log.exists()


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_names_the_query_that_the_service_refuses(bundle: Path, status: int) -> None:
    async with service(lambda _: {"error": "the query has 300 words"}, status) as client:
        with pytest.raises(
            CorpusError, match=r"refuses to be asked p\d#2 of .*: the query has 300 words"
        ):
            await ask(client, bundle, TEXTS)


async def test_a_service_in_trouble_is_no_fault_of_the_query(bundle: Path) -> None:
    async with service(lambda _: {"error": "no room"}, 503) as client:
        with pytest.raises(ServiceError, match="no room"):
            await ask(client, bundle, TEXTS)


async def test_says_that_a_split_has_no_queries(bundle: Path) -> None:
    async with no_service() as client:
        with pytest.raises(CorpusError, match="no text-to-image queries in the split 'holiday'"):
            await ask(client, bundle, replace(TEXTS, split="holiday"))


def test_queries_are_drawn_by_the_seed(bundle: Path) -> None:
    def drawn(**more: Any) -> Sequence[str]:
        return [one.id for one in chosen_queries(bundle, replace(IMAGES, **more))]

    assert sorted(drawn(limit=None)) == sorted(drawn(limit=99)) == [f"p{n}" for n in range(5)]
    assert drawn(limit=2) == drawn(limit=2)
    assert len({tuple(drawn(limit=2, seed=seed)) for seed in range(9)}) > 1


def test_directions_without_queries_are_left_out(bundle: Path, tmp_path: Path) -> None:
    assert asked_directions(bundle, "test") == ["text-to-image", "image-to-text"]
    single = [item for item in items(2) if not item.held_out]
    assert asked_directions(bundle_of(single, tmp_path / "single"), "test") == ["image-to-text"]
    # Where there is none at all, asking will say so.
    assert len(asked_directions(bundle, "holiday")) == 2
