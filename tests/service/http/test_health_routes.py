"""Machines that ask are told whether the service lives, is ready, and what it measures."""

import httpx
import pytest
from searching import assert_one_sentence, search

from semcore.errors import EngineError


async def test_a_dead_engine_shows(client: httpx.AsyncClient) -> None:
    retrieval = client._transport.app.state.retrieval  # type: ignore[attr-defined]
    retrieval._engine.engine.dead = True
    assert_one_sentence(await search(client, query="unheard"), 503)
    assert_one_sentence(await client.get("/healthz"), 503)
    retrieval._engine.engine.dead = False


async def test_searches_are_counted(client: httpx.AsyncClient) -> None:
    await search(client, query="counted once")
    text = (await client.get("/metrics")).text
    assert 'semcore_searches_total{direction="text-to-image",outcome="answered"}' in text
    assert "semcore_illegal_identifiers_total 0.0" in text


async def test_a_service_that_is_about_to_end_lives_and_is_not_ready(
    client: httpx.AsyncClient,
) -> None:
    retrieval = client.app.state.retrieval  # type: ignore[attr-defined]
    ready = await client.get("/readyz")
    assert ready.json() == {
        "status": "ready",
        "index_version": retrieval.lifecycle.current.snapshot.version,
    }
    retrieval.draining = True
    assert_one_sentence(await client.get("/readyz"), 503)
    assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_an_engine_that_could_not_start_shows(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrieval = client.app.state.retrieval  # type: ignore[attr-defined]
    retrieval.ready.clear()
    assert (await client.get("/healthz")).status_code == 200  # it may still be starting
    assert_one_sentence(await client.get("/readyz"), 503)
    monkeypatch.setattr(retrieval, "failure", EngineError("no memory; free some"))
    health = await client.get("/healthz")
    assert_one_sentence(health, 503)
    assert health.json()["error"] == "no memory; free some"
