"""Searches, cache hits, stages and what verification changed are counted."""

import httpx


async def sample(client: httpx.AsyncClient, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


async def test_counts_what_happens(client: httpx.AsyncClient) -> None:
    answered = 'semcore_searches_total{direction="text-to-image",outcome="answered"}'
    beams = 'semcore_stage_seconds_count{direction="text-to-image",stage="beams"}'
    hits = 'semcore_cache_lookups_total{result="hit"}'
    names = (answered, beams, hits, "semcore_illegal_identifiers_total ")
    before = [await sample(client, name) for name in names]
    for _ in range(2):
        response = await client.post("/search/text-to-image", json={"query": "one metric boat"})
        assert response.status_code == 200
    after = [await sample(client, name) for name in names]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1, 0]
    assert await sample(client, "semcore_ready ") == 1
    version = response.json()["index_version"]
    assert await sample(client, f'semcore_index_info{{version="{version}"}}') == 1


async def test_a_flip_is_the_first_item_of_a_verified_answer(client: httpx.AsyncClient) -> None:
    async def first_of(**body: object) -> tuple[int, str]:
        """Its place before verification, and the cursor."""
        response = await client.post("/search/text-to-image", json={"top_k": 3, **body})
        assert response.status_code == 200, response.text
        answer = response.json()
        return answer["items"][0]["beam_rank"], answer["cursor"]

    before = await sample(client, "semcore_gsv_flips_total ")
    flips = 0
    for number in range(5):
        for verify in ("always", "never"):
            query = {"query": f"boat {number}", "verify": verify}
            place, cursor = await first_of(**query)
            flips += place > 1
            await first_of(**query, cursor=cursor)  # whose first item was not that of the beams
    assert flips > 0
    assert await sample(client, "semcore_gsv_flips_total ") - before == flips
