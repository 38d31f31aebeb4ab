"""Machines that ask are told whether the service lives, is ready, and what it measures."""

import httpx
from searching import assert_one_sentence, search


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
