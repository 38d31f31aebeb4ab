"""The application answers from its start, and says what went wrong in one sentence."""

import httpx
from searching import assert_one_sentence


async def test_refuses_a_body_that_is_no_json(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/search/text-to-image", content=b"{", headers=headers)
    assert_one_sentence(response, 400)


async def test_the_contract_is_there(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    assert schema["paths"]["/search/image-to-text"]["post"]["requestBody"]["content"].keys() == {
        "application/json",
        "multipart/form-data",
    }
    assert schema["components"]["schemas"]["TextQuery"]["examples"]
